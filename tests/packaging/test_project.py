"""A project's life as the README tells it: made, run, given a library and rid of it again."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

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


@pytest.fixture
def slime(install: Callable[..., Environment], wheels: Path, uv: str) -> Callable[..., subprocess.Popen[str]]:
    """Starts `slime` as a user has it who has typed `pip install slimeweb`."""
    environment = install("slimeweb")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLIME_")}
    # No index has our wheels. The rest comes from where it always does, but for a Python, which would be a big one.
    variables = {"UV": uv, "UV_FIND_LINKS": str(wheels), "UV_PYTHON_DOWNLOADS": "never", "SLIME_PORT": "0"}

    def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [environment.folder / "bin" / "slime", *arguments],
            cwd=cwd,
            env=inherited | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


@contextmanager
def served(process: subprocess.Popen[str]) -> Iterator[int]:
    """The port that an application says it serves on; it is to end well afterwards."""
    try:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                yield int(found[1])
                break
        else:
            pytest.fail(f"it does not serve: {''.join(seen)}")
        process.send_signal(signal.SIGINT)
        assert outcome(process)[0] == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def get(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_a_project_is_made_run_and_changed(slime: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    code, output = outcome(slime("new", "shop", cwd=tmp_path))
    assert (code, "shop is ready" in output) == (0, True), output
    project = tmp_path / "shop"
    assert {path.name for path in project.iterdir()} == FILES

    for name in ("main", "shop"):
        with served(slime("run", name, cwd=project)) as port:
            assert get(port) == "Hello World from slime"

    def imports(module: str) -> bool:
        command = [project / ".venv" / "bin" / "python", "-c", f"import {module}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert not imports("six")
    assert outcome(slime("add", "six", cwd=project))[0] == 0
    assert imports("six")
    assert '"six>=' in (project / "pyproject.toml").read_text()
    assert outcome(slime("remove", "six", cwd=project))[0] == 0
    assert not imports("six")
    assert "six" not in (project / "pyproject.toml").read_text()

    code, output = outcome(slime("add", "no-such-library-anywhere-slime", cwd=project))
    assert code != 0
    assert "no-such-library-anywhere-slime" in output
    assert "no-such-library" not in (project / "pyproject.toml").read_text()
    code, output = outcome(slime("new", "shop", cwd=tmp_path))
    assert (code, "exists already" in output) == (1, True), output
