"""`slime add` and `slime remove`: the libraries that a project needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from slimeweb.commands import Commands
from slimeweb_cli.errors import CommandError
from slimeweb_cli.uv import run_uv

__all__ = ["register_add_remove"]


def add(options: argparse.Namespace) -> int:
    """Add libraries to the project's dependencies and install them."""
    return run_uv("add", "--", *options.packages, folder=project_folder())


def remove(options: argparse.Namespace) -> int:
    """Remove libraries from the project's dependencies and uninstall them."""
    return run_uv("remove", "--", *options.packages, folder=project_folder())


def project_folder() -> Path:
    """Give the current folder, which must hold a project.

    :raises CommandError: it has no pyproject.toml.
    """
    folder = Path.cwd()
    if not (folder / "pyproject.toml").is_file():
        raise CommandError(f"no project in {folder}: there is no pyproject.toml. cd into one, or type `slime new NAME`")
    return folder


def packages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("packages", metavar="PACKAGE", nargs="+", help="a library, such as httpx or 'httpx>=0.28'")


def register_add_remove(commands: Commands) -> None:
    """Add `slime add` and `slime remove`."""
    commands.add("add", add, help="add libraries to the project's dependencies", configure=packages)
    commands.add("remove", remove, help="remove libraries from the project's dependencies", configure=packages)
