"""`slime openapi MODULE`: the document, without serving anything."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from slimeweb import Slime, SlimeError
from slimeweb.commands import Commands
from slimeweb_docs.declaration import Docs

__all__ = ["add_openapi"]


class _Unusable(Exception):
    """What was asked for cannot be found. The text is one line for the user."""


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

    name, _, attribute = options.module.partition(":")
    try:
        # What a module prints while it is imported is not part of the document.
        with contextlib.redirect_stdout(sys.stderr):
            app = _application(_load(name, Path.cwd()), attribute, options.module)
            docs: Docs = getattr(app, "docs")  # noqa: B009
            # All routes are there once plugins have been told of a start, and theirs may depend on its options.
            with app.dry_run(app.serve_config({}, os.environ)):
                text = to_text(docs.document())
    except (_Unusable, SlimeError) as error:
        print(f"slime openapi: {error}", file=sys.stderr)
        return 2 if isinstance(error, _Unusable) else 1
    # UTF-8 whatever the locale, as JSON has to be (RFC 8259, section 8.1).
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
    return 0


def _load(name: str, cwd: Path) -> ModuleType:
    file = cwd / (name if name.endswith(".py") else f"{name}.py")
    if not file.is_file():
        return _load_dotted(name, cwd)
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise _Unusable(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Annotations given as text are looked up there, as with any import.
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _load_dotted(name: str, cwd: Path) -> ModuleType:
    sys.path.insert(0, str(cwd))
    try:
        found = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        found = None
    if found is None:
        raise _Unusable(f"there is no {name}.py and no module {name!r} in {cwd}: give a file such as main.py")
    return importlib.import_module(name)


def _application(module: ModuleType, attribute: str, given: str) -> Slime:
    if attribute:
        app = getattr(module, attribute, None)
        if not isinstance(app, Slime):
            raise _Unusable(f"{given}: {attribute!r} is not a Slime application in {module.__file__}")
        return app
    apps = {name: value for name, value in vars(module).items() if isinstance(value, Slime)}
    if len({id(app) for app in apps.values()}) != 1:
        found = f"several ({', '.join(apps)}): pick one with {given}:{next(iter(apps))}" if apps else "none"
        raise _Unusable(f"{module.__file__} should have one Slime application at its top level; it has {found}")
    return next(iter(apps.values()))
