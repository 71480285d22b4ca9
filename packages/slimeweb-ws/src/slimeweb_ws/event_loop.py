"""Whether waiting is allowed here, and how to wait on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["is_on_event_loop", "wait_for_room"]


def is_on_event_loop() -> bool:
    """Whether the caller runs on an event loop, which must not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def wait_for_room(
    notify: Callable[[Callable[[], object]], bool], forget: Callable[[Callable[[], object]], None]
) -> None:
    """Waits until a callback that `notify` was given is called, from any thread; not where it says that it will not be.

    `forget` takes the callback back, also when this is cancelled.
    """
    loop = asyncio.get_running_loop()
    room: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        loop.call_soon_threadsafe(_resolve, room)

    if notify(wake):
        try:
            await room
        finally:
            forget(wake)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
