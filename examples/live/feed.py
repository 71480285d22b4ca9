"""A feed: what is published is seen by everybody who follows, on whatever event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

__all__ = ["Feed"]

T = TypeVar("T")


class Feed(Generic[T]):
    """Values for those who follow now. Usable from any thread and every event loop."""

    def __init__(self, backlog: int = 16) -> None:
        """`backlog` is how many values wait for somebody who is slow; of more than that the oldest are left out."""
        self._backlog = backlog
        self._lock = threading.Lock()
        self._followers: dict[asyncio.Queue[T], asyncio.AbstractEventLoop] = {}

    def publish(self, value: T) -> None:
        """Hands a value to everybody who follows."""
        with self._lock:
            followers = list(self._followers.items())
        for queue, loop in followers:
            # A queue belongs to its loop. One that has closed has nobody who follows.
            if not loop.is_closed():
                loop.call_soon_threadsafe(_put, queue, value)

    async def follow(self) -> AsyncGenerator[T, None]:
        """What is published from now on."""
        queue: asyncio.Queue[T] = asyncio.Queue(self._backlog)
        with self._lock:
            self._followers[queue] = asyncio.get_running_loop()
        try:
            while True:
                yield await queue.get()
        finally:
            with self._lock:
                del self._followers[queue]

    def __len__(self) -> int:
        """How many follow."""
        return len(self._followers)


def _put(queue: asyncio.Queue[T], value: T) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(value)
