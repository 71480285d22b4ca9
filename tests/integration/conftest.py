"""The tour in a server process: one that most tests share, and more for those that need settings of their own."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.process import TOUR, ServerProcess, StartTour


@pytest.fixture(scope="session", autouse=True)
def _many_descriptors() -> None:
    """A thousand clients are a thousand descriptors on each side; the server inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384) if hard > 0 else 16_384, hard))


@pytest.fixture(scope="session")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared server keeps uploads while their requests last."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="session")
def tour(uploads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One tour for all tests that leave it as it was. It must end well when they are through."""
    kept = tmp_path_factory.mktemp("kept")
    server = ServerProcess(TOUR, env={"SLIME_UPLOAD_DIR": str(uploads), "TOUR_KEEP": str(kept)})
    try:
        yield server.wait_until_serving()
        assert server.stop() == 0, server.output
    finally:
        server.kill()


@pytest.fixture
def start_tour() -> Iterator[StartTour]:
    """Starts a tour with settings given as `SLIME_POOL_THREADS="2"`; whatever still runs afterwards is killed."""
    started: list[ServerProcess] = []

    def start(**env: str) -> ServerProcess:
        server = ServerProcess(TOUR, env=env)
        started.append(server)
        return server.wait_until_serving()

    yield start
    for server in started:
        server.kill()
