"""Fixtures for pytest: `pytest_plugins = ["slimeweb.testing.pytest_plugin"]` in a project's conftest.py.

They serve what the project's own fixture `app` gives, an instance of `Slime`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slimeweb.app import Slime
from slimeweb.testing import TestClient

__all__ = ["slime_client", "slime_server"]


@pytest.fixture
def slime_client(app: Slime) -> Iterator[TestClient]:
    """A client of `app`, which is served until the test is over."""
    with TestClient(app) as client:
        yield client


@pytest.fixture
def slime_server(app: Slime) -> Iterator[TestClient]:
    """`app`, served by two workers on a free port until the test is over: its `url` and `port`, for other clients."""
    with TestClient(app, workers=2) as server:
        yield server
