"""The README's examples, started from copies, so that what they write stays out of the checkout."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.process import ServerProcess

APPS = Path(__file__).parent / "apps"


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[[str], ServerProcess]]:
    """Starts an example by its name, in a folder of its own that is also its working directory."""
    started: list[ServerProcess] = []
    shutil.copytree(APPS, tmp_path, dirs_exist_ok=True)

    def start(name: str) -> ServerProcess:
        server = ServerProcess(tmp_path / f"{name}.py", cwd=tmp_path, workers=None)
        started.append(server)
        return server.wait_until_serving()

    yield start
    for server in started:
        server.kill()
