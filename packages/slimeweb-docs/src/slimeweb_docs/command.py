"""`slime openapi MODULE`: the document, without serving anything."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from slimeweb import Slime, SlimeError
from slimeweb.commands import Commands, TargetError, import_target
from slimeweb_docs.declaration import Docs

__all__ = ["add_openapi"]


def add_openapi(commands: Commands) -> None:
    """Adds `slime openapi`."""
    commands.add(
        "openapi",
        _run,
        help="print an application's OpenAPI document",
        configure=lambda parser: parser.add_argument(
            "module", metavar="MODULE", help="main, app/main.py or a dotted module; main:app picks one of several apps"
        ),
    )


def _run(options: argparse.Namespace) -> int:
    from slimeweb_docs.document import to_text

    try:
        # What a module prints while it is imported is not part of the document.
        with contextlib.redirect_stdout(sys.stderr):
            app = _application(options.module)
            docs: Docs = getattr(app, "docs")  # noqa: B009
            # All routes are there once plugins have been told of a start, and theirs may depend on its options.
            with app.dry_run(app.serve_config({}, os.environ)):
                text = to_text(docs.document())
    except (TargetError, SlimeError) as error:
        print(f"slime openapi: {error}", file=sys.stderr)
        return 2 if isinstance(error, TargetError) else 1
    # UTF-8 whatever the locale, as JSON has to be (RFC 8259, section 8.1).
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
    return 0


def _application(target: str) -> Slime:
    module, named = import_target(target, Path.cwd())
    if named is not None:
        if not isinstance(named, Slime):
            raise TargetError(f"{target} is not a Slime application, but {named!r}")
        return named
    apps = {name: value for name, value in vars(module).items() if isinstance(value, Slime)}
    if len({id(app) for app in apps.values()}) != 1:
        found = f"several ({', '.join(apps)}): pick one with {target}:{next(iter(apps))}" if apps else "none"
        raise TargetError(f"{module.__file__} should have one Slime application at its top level; it has {found}")
    return next(iter(apps.values()))
