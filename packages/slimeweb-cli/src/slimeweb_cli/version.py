"""`slime version`: what is installed, and what it runs on."""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version

from slimeweb.commands import Commands
from slimeweb_cli.python import Interpreter

__all__ = ["register_version"]


def show(options: argparse.Namespace) -> int:
    """Print the version of slimeweb and of the interpreter."""
    build = "free-threaded" if Interpreter.current().free_threaded else "with the GIL"
    print(f"slimeweb {version('slimeweb-core')}")
    print(f"{platform.python_implementation()} {platform.python_version()}, {build}, on {sys.platform}")
    return 0


def register_version(commands: Commands) -> None:
    """Add `slime version`."""
    commands.add("version", show, help="show the version of slimeweb and of Python")
