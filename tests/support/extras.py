"""Tests that need an optional package: skipped, by its name, until it registers what they use."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import pytest

from slimeweb import Slime

__all__ = ["needs"]


def _exports(name: str) -> Callable[[Slime], bool]:
    return lambda _: bool(entry_points(group="slimeweb.exports", name=name))


def _adds_to_app(name: str) -> Callable[[Slime], bool]:
    return lambda app: hasattr(app, name)


_REGISTERED: dict[str, Callable[[Slime], bool]] = {
    "slimeweb-ws": _adds_to_app("websocket"),
    "slimeweb-stream": _adds_to_app("stream"),
    "slimeweb-compress": _exports("SlimeCompression"),
    "slimeweb-templates": _adds_to_app("templates"),
    "slimeweb-docs": _adds_to_app("docs"),
    "slimeweb-asgi": _adds_to_app("mount"),
    "slimeweb-typed": _exports("Query"),
}


def needs(distribution: str) -> None:
    """Skips the calling test while the distribution registers nothing."""
    if not _REGISTERED[distribution](Slime(__file__)):
        pytest.skip(f"{distribution} does not register its names")
