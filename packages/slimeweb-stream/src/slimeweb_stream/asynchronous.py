"""The response that asynchronous streaming handlers get."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from typing import Any

from slimeweb import ClientDisconnected, SlimeRequest, SlimeResponse
from slimeweb_stream.base import REFUSING, BaseStream, Surroundings
from slimeweb_stream.events import COMMENT, format_comment, format_event
from slimeweb_stream.pieces import to_bytes

__all__ = ["AsyncStreamResponse"]

BACKLOG = 1024 * 1024
"""How much one stream may hold for a client that is behind, in bytes: 1 MiB of pieces that a handler has sent without
awaiting. Beyond that `send` raises `RuntimeError`. What the server and the system have taken already is not counted.
"""


class AsyncStreamResponse(BaseStream):
    """A response that is sent piece by piece from a coroutine.

        @app.stream(path="/numbers", content="text/plain")
        async def numbers(req, resp):
            resp.start_stream()
            for number in range(5):
                await resp.send(number)
            resp.close()

    What `send` returns is to be awaited: that is where the handler waits for a client that is behind. Without it pieces
    still arrive, in order, but no more than 1 MiB of them may be waiting.
    """

    __slots__ = ("_backlog", "_closing", "_flushing", "_loop", "_waiting")

    def __init__(self, req: SlimeRequest, resp: SlimeResponse, surroundings: Surroundings) -> None:
        super().__init__(req, resp, surroundings)
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[bytes] = deque()
        self._waiting = 0
        self._flushing: asyncio.Task[None] | None = None
        self._closing = False

    def send(self, data: Any, strict_order: bool = True) -> Sending:
        """Sends text, bytes, or anything else as JSON. Await the result to wait for a client that is behind.

        `ClientDisconnected` once the client has left, `RuntimeError` before `start_stream()`, after `close()`, or when
        too much waits because nothing was awaited. With `strict_order=False` the first is logged, none raised.
        """
        try:
            return self._send(to_bytes(data))
        except (ClientDisconnected, RuntimeError) as error:
            if strict_order:
                raise
            self._tell_unsent(error)
            return Sending(None)

    def send_event(
        self, data: Any, event: str | None = None, id: str | None = None, retry: int | None = None
    ) -> Sending:
        """Sends a server-sent event; `retry` is in milliseconds.

        As `send`; `ValueError` for a field with a line break.
        """
        return self._send(format_event(data, event, id, retry))

    def send_comment(self, text: str = "") -> Sending:
        """Sends a comment of an event stream, which clients pass over."""
        return self._send(format_comment(text))

    def close(self) -> Sending:
        """Ends the stream once everything is out; the client sees a complete answer. Awaiting it waits for that."""
        if self._send_piece in REFUSING:
            self._send_piece(b"")
        self._closing = True
        if self._flushing is None:
            self._writer.close()
        return Sending(self._flushing)

    async def flush(self) -> None:
        """Waits until nothing is waiting any more. `ClientDisconnected` when the client leaves before that."""
        if self._flushing is not None:
            await asyncio.shield(self._flushing)

    def end(self) -> None:
        """Stops what would outlive the handler."""
        super().end()
        if self._flushing is not None:
            self._flushing.cancel()

    def _send(self, piece: bytes) -> Sending:
        if self._closing:
            raise RuntimeError("the stream has been closed: nothing can be sent after close()")
        if self._flushing is None:
            if self._send_piece in REFUSING:
                self._send_piece(piece)
            if self._writer.try_write(piece):
                if self._send_piece is None:
                    self._events.note(piece)
                    self._events.put_off()
                return Sending(None)
            self._flushing = self._loop.create_task(self._flush())
        elif self._waiting + len(piece) > BACKLOG:
            raise RuntimeError(f"{self._waiting} bytes are waiting to be sent: write 'await resp.send(…)'")
        if self._send_piece is None:
            self._events.note(piece)
        self._backlog.append(piece)
        self._waiting += len(piece)
        return Sending(self._flushing)

    async def _flush(self) -> None:
        try:
            while self._backlog:
                await self._writer.drain()
                while self._backlog and self._writer.try_write(self._backlog[0]):
                    self._waiting -= len(self._backlog.popleft())
                    if self._send_piece is None:
                        self._events.put_off()
            self._flushing = None
            if self._closing:
                self._writer.close()
        except ClientDisconnected:
            # The next `send` raises it; this task need not be awaited.
            self._backlog.clear()
            self._waiting = 0
            self._flushing = None

    def _keep_alive(self) -> bool:
        if self._writer.is_closed:
            return False
        try:
            self._loop.call_soon_threadsafe(self._comment)
        except RuntimeError:
            # The loop has ended, and the stream with it.
            return False
        return True

    def _comment(self) -> None:
        if self._flushing is None and not self._closing and self._events.is_between():
            try:
                self._writer.try_write(COMMENT)
            except (ClientDisconnected, RuntimeError):
                if self._events.timer is not None:
                    self._events.timer.cancel()


class Sending:
    """What `send` gives: nothing to wait for, or everything that is waiting to be sent."""

    __slots__ = ("_flushing",)

    def __init__(self, flushing: asyncio.Task[None] | None) -> None:
        self._flushing = flushing

    def __await__(self) -> Generator[Any, None, None]:
        if self._flushing is not None:
            # Shielded: a handler that is cancelled must not take the pieces with it that it sent before.
            yield from asyncio.shield(self._flushing).__await__()
