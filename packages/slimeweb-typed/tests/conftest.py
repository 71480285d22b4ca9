"""The applications of these tests have no other plugin."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "ws,stream,compress,docs,templates,asgi")
