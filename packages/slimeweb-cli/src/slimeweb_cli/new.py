"""`slime new`: a project, its virtual environment and its locked dependencies."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from pathlib import Path
from typing import Final

from slimeweb.commands import Commands
from slimeweb_cli.errors import CommandError
from slimeweb_cli.python import Interpreter
from slimeweb_cli.skeleton import skeleton
from slimeweb_cli.uv import find_uv, run_uv

__all__ = ["register_new"]

# Newest first. 3.13t is left out: slimeweb is tested on it, but pyo3 supports it no more.
FREE_THREADED: Final = ("3.14t",)


def new(options: argparse.Namespace) -> int:
    """Make the project's files, then let uv make its environment and lock."""
    name: str = options.name
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise CommandError(f"{name!r} is no name for a project: use letters, digits, '-', '_' and '.'", exit_code=2)
    folder = Path.cwd() / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"{folder} exists already: choose another name, or remove it")
    find_uv()
    pin, python = choose_python()
    folder.mkdir(exist_ok=True)
    for path, text in skeleton(name, pin).items():
        target = folder / path
        if path.endswith("/"):
            target.mkdir()
            (target / ".gitkeep").touch()
        else:
            target.write_text(text, "utf-8")
    code = run_uv("sync", "--quiet", "--python", python, folder=folder)
    if code:
        raise CommandError(
            f"{folder} is made, but uv could not install its dependencies (above): cd {name} && uv sync", exit_code=code
        )
    print(f"slime: {name} is ready: cd {name} && slime run main")
    return 0


def choose_python() -> tuple[str, str]:
    """Choose a free-threaded Python when uv has one or can get one, else the running one, and say which.

    Gives what .python-version pins, and what to name to uv.
    """
    for pin in FREE_THREADED:
        if uv_has(pin):
            print(f"slime: using Python {pin}, which has no GIL")
            return pin, pin
    running = Interpreter.current()
    print(f"slime: uv can get no free-threaded Python here: using Python {running.version} ({running.path})")
    suffix = "t" if running.free_threaded else ""
    return running.version.rpartition(".")[0] + suffix, str(running.path)


def uv_has(pin: str) -> bool:
    """Say whether uv finds the Python that `pin` names, or can download it."""
    uv = find_uv()

    def succeeds(*arguments: str) -> bool:
        return subprocess.run([uv, "python", *arguments, pin], check=False, capture_output=True).returncode == 0

    if succeeds("find", "--no-python-downloads"):
        return True
    if os.environ.get("UV_PYTHON_DOWNLOADS") in {"never", "manual"} or os.environ.get("UV_OFFLINE"):
        return False
    return succeeds("install")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the project's name, and its folder's")


def register_new(commands: Commands) -> None:
    """Add `slime new`."""
    commands.add("new", new, help="make a new project", configure=arguments)
