"""Type checkers, run in environments as pip makes them, with some of our distributions and others not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import Any

__all__ = ["Environment"]

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


class Environment:
    """A virtual environment with distributions whose folders are given, laid out as their wheels would be.

    What they need from elsewhere is that of this interpreter.
    """

    def __init__(self, folder: Path, *distributions: Path) -> None:
        venv.create(folder, symlinks=True)
        self._folder = folder
        self.python = folder / "bin" / "python"
        (self._site_packages,) = folder.glob("lib/python*/site-packages")
        for other in Path(sysconfig.get_path("purelib")).iterdir():
            if "slimeweb" not in other.name and other.suffix != ".pth":
                (self._site_packages / other.name).symlink_to(other)
        for distribution in distributions:
            self._install(distribution)

    def _install(self, folder: Path) -> None:
        shutil.copytree(folder / "src", self._site_packages, copy_function=_copy, dirs_exist_ok=True)
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        metadata = self._site_packages / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
        groups = project.get("entry-points", {})
        lines = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in groups[group].items()) for group in groups
        ]
        (metadata / "entry_points.txt").write_text("\n".join(lines))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What Python does with these arguments there."""
        return _run(self.python, "-I", *arguments, cwd=self._folder)

    def mypy(self, files: Path, *, strict: bool = True) -> str:
        """What mypy says of a folder: with the settings of pyproject.toml that are not about paths, or with none."""
        settings = _settings("mypy")
        codes = [f"--enable-error-code={code}" for code in settings["enable_error_code"]]
        version = f"--python-version={settings['python_version']}"
        where = ("--config-file=", f"--cache-dir={self._folder / '.mypy_cache'}", "--python-executable", self.python)
        done = _run(BIN / "mypy", *(("--strict", *codes) if strict else ()), version, *where, files, cwd=self._folder)
        return done.stdout + done.stderr

    def pyright(self, files: Path, *, strict: bool = True) -> str:
        """What pyright says of a folder: with the settings of pyproject.toml that are not about paths, or with none."""
        settings = {name: value for name, value in _settings("pyright").items() if name not in {"venv", "venvPath"}}
        project = self._folder / "pyrightconfig.json"
        ours = {**settings, "strict": [str(files)]} if strict else {}
        project.write_text(json.dumps({**ours, "include": [str(files)]}))
        done = _run(BIN / "pyright", "--warnings", "--project", project, "--pythonpath", self.python, cwd=self._folder)
        return done.stdout + done.stderr


def _settings(tool: str) -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][tool]
    return settings


def _copy(source: str, target: str) -> None:
    # Extension modules are large, and as good from elsewhere.
    if source.endswith(".so"):
        os.symlink(source, target)
    elif "__pycache__" not in source:
        shutil.copyfile(source, target)


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
