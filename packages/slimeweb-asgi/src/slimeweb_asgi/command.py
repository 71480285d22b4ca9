"""`slime serve MODULE:APPLICATION`: an ASGI or WSGI application as it is, served by slimeweb."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from slimeweb import Slime
from slimeweb.commands import Commands
from slimeweb_asgi.members import Mount
from slimeweb_asgi.mounts import is_asgi

__all__ = ["add_serve", "find", "slime_of"]


def add_serve(commands: Commands) -> None:
    """Adds `slime serve`."""
    commands.add("serve", _run, help="serve an ASGI or WSGI application", configure=_configure)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="MODULE:APPLICATION", help="such as shop.main:app, or shop.main:make_app()")
    parser.add_argument("--interface", choices=["asgi", "wsgi"], help="what it is, where that cannot be told from it")
    parser.add_argument("--host", help="the address to listen on (SLIME_HOST)")
    parser.add_argument("--port", type=int, help="the port to listen on (SLIME_PORT)")
    parser.add_argument("--workers", type=int, help="threads that serve connections (SLIME_WORKER)")


def _run(options: argparse.Namespace) -> int:
    sys.path.insert(0, str(Path.cwd()))
    try:
        application, file = find(options.target)
    except LookupError as error:
        print(f"slime serve: {error.args[0]}", file=sys.stderr)
        return 2
    app = slime_of(application, file, options.interface)
    app.serve(host=options.host, port=options.port, workers=options.workers)
    return 0


def find(target: str) -> tuple[Any, str]:
    """The application that `module:name` or `module:name()` means, and its module's file. `LookupError` says what is
    wrong.
    """
    name, _, attribute = target.partition(":")
    if not name or not attribute:
        raise LookupError(f"{target!r} does not say which application: write MODULE:APPLICATION, such as main:app")
    is_call = attribute.endswith("()")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise LookupError(f"there is no module {name!r} in {Path.cwd()}: name it as an import does") from error
    found: Any = module
    for part in attribute.removesuffix("()").split("."):
        found = getattr(found, part, None)
    if found is None:
        raise LookupError(f"{module.__file__} has no {attribute!r}")
    return found() if is_call else found, module.__file__ or name


def slime_of(application: Any, file: str, interface: str | None = None) -> Slime:
    """A slimeweb application that has `application` answer everything; itself where it is one already."""
    if isinstance(application, Slime):
        return application
    app = Slime(file)
    kind = interface or ("asgi" if is_asgi(application) else "wsgi")
    mount: Mount = getattr(app, "mount")  # noqa: B009
    mount("", **{kind: application})
    return app
