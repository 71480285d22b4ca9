"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

__all__ = ["eventually"]


def eventually(probe: Callable[[], T], *, within: float = 10.0, every: float = 0.02, what: str = "") -> T:
    """The first true value of `probe()`, asked again every `every` seconds; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within} s: {what or probe}; last value {value!r}")
        time.sleep(every)
