"""A project's life as the README tells it: made, run, given a library and rid of it again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from support.process import ServerProcess

pytestmark = pytest.mark.timeout(900)

FILES = {
    ".gitignore",
    ".python-version",
    ".venv",
    "README.md",
    "main.py",
    "pyproject.toml",
    "static",
    "templates",
    "uv.lock",
}


class Environment(Protocol):
    folder: Path
    interpreter: Path


def test_a_project_is_made_run_and_changed(
    install: Callable[..., Environment], wheels: Path, uv: str, tmp_path: Path
) -> None:
    environment = install("slimeweb")
    command = environment.folder / "bin" / "slime"
    # No index has our wheels. The rest comes from where it always does, but for a Python, which would be a big one.
    variables = {"UV": uv, "UV_FIND_LINKS": str(wheels), "UV_PYTHON_DOWNLOADS": "never"}

    def slime(*arguments: str, cwd: Path) -> tuple[int, str]:
        done = subprocess.run(
            [command, *arguments],
            cwd=cwd,
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout

    code, output = slime("new", "shop", cwd=tmp_path)
    assert (code, "shop is ready" in output) == (0, True), output
    project = tmp_path / "shop"
    assert {path.name for path in project.iterdir()} == FILES

    for name in ("main", "shop"):
        arguments = ("run", name)
        with ServerProcess(
            command, arguments=arguments, python=environment.interpreter, cwd=project, env=variables
        ) as server:
            assert server.wait_until_serving().ask("/").text == "Hello World from slime"
            server.send_signal(signal.SIGINT)
            assert server.wait() == 0, server.output

    def imports(module: str) -> bool:
        command = [project / ".venv" / "bin" / "python", "-c", f"import {module}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert not imports("six")
    assert slime("add", "six", cwd=project)[0] == 0
    assert imports("six")
    assert '"six>=' in (project / "pyproject.toml").read_text()
    assert slime("remove", "six", cwd=project)[0] == 0
    assert not imports("six")
    assert "six" not in (project / "pyproject.toml").read_text()

    code, output = slime("add", "no-such-library-anywhere-slime", cwd=project)
    assert code != 0
    assert "no-such-library-anywhere-slime" in output
    assert "no-such-library" not in (project / "pyproject.toml").read_text()
    code, output = slime("new", "shop", cwd=tmp_path)
    assert (code, "exists already" in output) == (1, True), output
