"""The messages of a connection whose handler has accepted it, and asks for them itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from slimeweb_ws._native import CloseEvent, Connection
from slimeweb_ws.errors import ConnectionClosed
from slimeweb_ws.listener import MESSAGE, Event

__all__ = ["Receiver"]

_NO_CODE = 1006
"""The code of a connection that is gone without a word (RFC 6455, section 7.1.5)."""


class Receiver:
    """Takes the events of a connection, one after the other. What is not a message goes to `drop`.

    Made and used on the connection's loop. Nothing is read ahead: what nobody takes stays with the connection, which
    stops reading.
    """

    __slots__ = ("_connection", "_drop", "_is_over", "_is_ready", "_is_receiving", "_loop", "_waiter")

    def __init__(self, connection: Connection, drop: Callable[[Event], None]) -> None:
        self._connection = connection
        self._drop = drop
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_ready = False
        self._is_receiving = False
        self._is_over = False

    def ready(self) -> None:
        """There is something to take. Another thread may call while the handler holds its own."""
        self._is_ready = True
        waiter = self._waiter
        if waiter is not None:
            self._loop.call_soon_threadsafe(_resolve, waiter)

    def stop(self) -> None:
        """Nothing is received any more: a task that waits is told that the connection is closed."""
        self._is_over = True
        self.ready()

    async def receive(self) -> str | bytes:
        """The next message. `ConnectionClosed` behind the last, `RuntimeError` while another task is receiving."""
        if self._is_receiving:
            raise RuntimeError("another task is receiving from this connection: one at a time")
        self._is_receiving = True
        try:
            while not self._is_over:
                self._is_ready = False
                event = self._connection.take()
                if isinstance(event, MESSAGE):
                    return event
                if event is None:
                    await self._wait()
                    continue
                self._is_over = isinstance(event, CloseEvent)
                self._drop(event)
        finally:
            self._is_receiving = False
        code = self._connection.close_code
        raise ConnectionClosed(_NO_CODE if code is None else code, self._connection.close_reason)

    async def _wait(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        try:
            # It may have become so before there was a waiter.
            if not self._is_ready:
                await waiter
        finally:
            self._waiter = None


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
