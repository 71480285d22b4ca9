"""The uv program, which makes projects and keeps their dependencies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from slimeweb_cli.errors import CommandError

__all__ = ["find_uv", "run_uv"]


def find_uv() -> Path:
    """Give the path of uv: $UV, beside this Python, or on PATH.

    :raises CommandError: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = os.environ.get("UV") or (str(beside) if beside.is_file() else shutil.which("uv"))
    if not found:
        raise CommandError("this needs uv, and there is none: pip install uv")
    return Path(found)


def run_uv(*arguments: str, folder: Path) -> int:
    """Run uv in `folder` and give its exit code. It uses the project's own .venv, whichever is active."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    sys.stdout.flush()
    return subprocess.run([find_uv(), *arguments], cwd=folder, env=environment, check=False).returncode
