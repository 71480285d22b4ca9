"""The tour in a server process, and what must be true of it whatever it was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from support.condition import eventually
from support.footprint import resident_memory
from support.process import TOUR, ServerProcess

MOST = 24 * 1000 * 1000
"""Bytes that the server's memory may grow by. The first hundreds of connections with TLS take some 18 million."""

Exercise = Callable[[SearchStrategy[Any], Callable[[Any], None]], None]


@pytest.fixture(params=[pytest.param(300), pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def exercise(request: pytest.FixtureRequest) -> Exercise:
    """Calls a function with many cases: `exercise(strategy, function)`."""

    def run(cases: SearchStrategy[Any], act: Callable[[Any], None]) -> None:
        @settings(max_examples=request.param, deadline=None)
        @given(cases)
        def each(case: Any) -> None:
            act(case)

        each()

    return run


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps uploads while their requests last."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def target(uploads: Path) -> Iterator[ServerProcess]:
    """The server under fire. It must end well afterwards."""
    server = ServerProcess(TOUR, env={"SLIME_UPLOAD_DIR": str(uploads)}, workers=1)
    try:
        yield server.wait_until_serving()
        assert server.stop() == 0, server.output
    finally:
        server.kill()


@pytest.fixture
def unmoved(target: ServerProcess, uploads: Path) -> Callable[[], AbstractContextManager[None]]:
    """Sees to it that nothing is left of what happens inside: no memory, file, descriptor or complaint."""

    @contextmanager
    def watch() -> Iterator[None]:
        memory, before, said = resident_memory(target.pid), target.footprint(), len(target.output)
        yield
        assert target.ask("/ping").text == "pong"
        eventually(lambda: target.footprint().descriptors <= before.descriptors, what="every descriptor is closed")
        eventually(lambda: not [each for each in uploads.rglob("*") if each.is_file()], what="no upload is kept")
        assert resident_memory(target.pid) - memory < MOST
        assert "Traceback" not in target.output[said:]
        assert "panicked" not in target.output[said:]

    return watch
