"""Threads that do one thing at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

__all__ = ["at_once"]


def at_once(count: int, work: Callable[[int], T], *, timeout: float = 60.0) -> list[T]:
    """What `work(0)` … `work(count - 1)` return, all started together; the first exception is raised again."""
    ready = threading.Barrier(count)

    def start(number: int) -> T:
        ready.wait(timeout)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [future.result(timeout) for future in [pool.submit(start, number) for number in range(count)]]
