"""The tour in a server process: one that most tests share, and more for those that need settings of their own."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificate import tls_variables
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
def shared_tour(uploads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """What `tour` gives."""
    kept = tmp_path_factory.mktemp("kept")
    server = ServerProcess(TOUR, env={"SLIME_UPLOAD_DIR": str(uploads), "TOUR_KEEP": str(kept)})
    try:
        yield server.wait_until_serving()
        assert server.stop() == 0, server.output
    finally:
        server.kill()


@pytest.fixture(scope="session")
def tour(shared_tour: ServerProcess) -> ServerProcess:
    """One tour for all tests that leave it as it was. It must end well when they are through.

    Modules whose tests are about both versions of HTTP have `tour_by_version` in its place.
    """
    return shared_tour


@pytest.fixture(scope="session", params=["1.1", "2"])
def tour_by_version(
    request: pytest.FixtureRequest, uploads: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """The shared tour, asked by HTTP/1.1, and one with TLS that is asked by HTTP/2."""
    if request.param == "1.1":
        yield request.getfixturevalue("shared_tour")
        return
    directory = tmp_path_factory.mktemp("tour-http2")
    env = {**tls_variables(directory), "SLIME_UPLOAD_DIR": str(uploads), "TOUR_KEEP": str(directory)}
    server = ServerProcess(TOUR, env=env, version=request.param)
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
