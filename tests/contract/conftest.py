"""Every test here has the installed plugins out of its way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.installing import Install


@pytest.fixture(autouse=True)
def only_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "*")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return Install(tmp_path / "site", monkeypatch)


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the server has given to `sys.unraisablehook`, as text: the objects themselves would be kept alive."""
    seen: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(f"{args.exc_type.__name__}: {args.exc_value}"))
    return seen
