"""`slime types`: tells type checkers what the installed plugins add."""

from __future__ import annotations

import argparse
from pathlib import Path

from slimeweb.commands import Commands, member_stubs
from slimeweb.errors import SlimeError
from slimeweb_cli.errors import CommandError

__all__ = ["register_types"]


def types(options: argparse.Namespace) -> int:
    """Write the stubs, or compare them with what would be written."""
    try:
        stubs = member_stubs()
    except SlimeError as error:
        raise CommandError(str(error)) from error
    outdated = {path: text for path, text in stubs.items() if found(path) != text}
    if options.check:
        if outdated:
            raise CommandError("type checkers know of other plugins than are installed: type `slime types`")
        return 0
    for path, text in outdated.items():
        try:
            put(path, text)
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}") from error
    print("type checkers know what the installed plugins add" + (", as before" if not outdated else ""))
    return 0


def found(path: Path) -> str | None:
    """Give the text of a file, `None` when there is no such file."""
    return path.read_text("utf-8") if path.exists() else None


def put(path: Path, text: str | None) -> None:
    """Make a file hold `text`; `None` is for no file."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text, "utf-8")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when there is something to write"
    )


def register_types(commands: Commands) -> None:
    """Add `slime types`."""
    commands.add("types", types, help="tell mypy and pyright what installed plugins add", configure=configure)
