"""`slime serve MODULE:APPLICATION`: an ASGI or WSGI application as it is, served by slimeweb."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from slimeweb import Slime
from slimeweb.commands import Commands, TargetError, import_target
from slimeweb_asgi.members import Mount
from slimeweb_asgi.mounts import is_asgi

__all__ = ["add_serve", "slime_of"]


def add_serve(commands: Commands) -> None:
    """Adds `slime serve`."""
    commands.add("serve", _run, help="serve an ASGI or WSGI application", configure=_configure)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="MODULE:APPLICATION", help="such as main:app, or shop.main:make_app()")
    parser.add_argument("--interface", choices=["asgi", "wsgi"], help="what it is, where that cannot be told from it")
    parser.add_argument("--host", help="the address to listen on (SLIME_HOST)")
    parser.add_argument("--port", type=int, help="the port to listen on (SLIME_PORT)")
    parser.add_argument("--workers", type=int, help="threads that serve connections (SLIME_WORKER)")


def _run(options: argparse.Namespace) -> int:
    try:
        module, application = import_target(options.target, Path.cwd())
        if application is None:
            raise TargetError(f"{options.target!r} does not say which application: write MODULE:APPLICATION")
    except TargetError as error:
        print(f"slime serve: {error}", file=sys.stderr)
        return 2
    app = slime_of(application, module.__file__ or module.__name__, options.interface)
    app.serve(host=options.host, port=options.port, workers=options.workers)
    return 0


def slime_of(application: Any, file: str, interface: str | None = None) -> Slime:
    """A slimeweb application that has `application` answer everything; itself where it is one already."""
    if isinstance(application, Slime):
        return application
    app = Slime(file)
    kind = interface or ("asgi" if is_asgi(application) else "wsgi")
    mount: Mount = getattr(app, "mount")  # noqa: B009
    mount("", **{kind: application})
    return app
