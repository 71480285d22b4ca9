"""These tests see core and this plugin, whatever else is installed beside them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "ws,stream,compress,templates")
