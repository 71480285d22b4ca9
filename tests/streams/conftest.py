"""The streams of app.py in a server process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.extras import needs
from support.process import ServerProcess


@pytest.fixture(scope="module")
def streams() -> Iterator[ServerProcess]:
    """One server for all tests of a module. It must end well when they are through."""
    needs("slimeweb-stream")
    server = ServerProcess(Path(__file__).with_name("app.py"))
    try:
        yield server.wait_until_serving()
        assert server.stop() == 0, server.output
    finally:
        server.kill()
