"""Fresh virtual environments with wheels of our packages in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["NATIVE", "PURE", "ROOT", "Environment", "find_uv", "run"]

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ("slimeweb-core", "slimeweb-ws", "slimeweb-compress")
PURE = ("slimeweb", *(f"slimeweb-{name}" for name in ("cli", "stream", "docs", "templates", "asgi", "typed")))


def find_uv() -> str:
    local = ROOT / ".tools" / "bin" / "uv"
    uv = os.environ.get("UV") or (str(local) if local.is_file() else shutil.which("uv"))
    if uv is None:
        pytest.fail("no uv: run these tests through make, which fetches it into .tools")
    return str(Path(uv).resolve())


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed, and give what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Environment:
    """A fresh virtual environment with some of our distributions in it, all of them from `wheels`."""

    folder: Path
    wheels: Path

    @classmethod
    def made(cls, folder: Path, wheels: Path) -> Environment:
        """An empty one."""
        run(find_uv(), "venv", "--quiet", "--python", sys.executable, folder)
        return cls(folder, wheels)

    @property
    def interpreter(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, program: str, *arguments: str) -> str:
        return run(self.folder / "bin" / program, *arguments, cwd=self.folder)

    def python(self, code: str) -> str:
        return self.run("python", "-I", "-W", "error", "-c", code)

    def add(self, *requirements: str | Path) -> None:
        """Install more: what is ours from the wheels and from nowhere else, the rest from wherever it is to be had."""
        constraints = self.wheels / "constraints.txt"
        options: list[str | Path] = ["--constraint", constraints]
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            options += ["--constraint", ROOT / ".ci" / "free-threaded.txt"]
        run(find_uv(), "pip", "install", "--quiet", "--python", self.interpreter, *options, *requirements)

    def remove(self, distribution: str) -> None:
        run(find_uv(), "pip", "uninstall", "--quiet", "--python", self.interpreter, distribution)

    def distributions(self) -> set[str]:
        code = "from importlib.metadata import distributions\nfor found in distributions(): print(found.name)"
        return set(self.python(code).split())
