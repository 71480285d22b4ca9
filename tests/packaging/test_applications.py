"""The applications of examples/ that have tests of their own: these are run, each in its folder."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.database import Database, DatabaseMissing

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
APPLICATIONS = sorted(
    path.parent.name for path in EXAMPLES.glob("*/pyproject.toml") if (path.parent / "main.py").exists()
)

pytestmark = pytest.mark.timeout(300)


def test_there_are_applications() -> None:
    assert {"drop", "live", "notes", "realworld"} <= set(APPLICATIONS)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_passes_its_own_tests(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLIME_", "PYTEST_"))}
    with ExitStack() as stack:
        if name == "notes":
            try:
                environment["DATABASE_URL"] = stack.enter_context(Database()).url
            except DatabaseMissing as error:
                pytest.skip(f"missing tool postgres: {error}")
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
        done = subprocess.run(command, cwd=EXAMPLES / name, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
