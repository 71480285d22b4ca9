"""Every test here has the installed plugins out of its way."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def only_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "*")


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the server has given to `sys.unraisablehook`, as text: the objects themselves would be kept alive."""
    seen: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(f"{args.exc_type.__name__}: {args.exc_value}"))
    return seen
