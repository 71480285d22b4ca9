"""Streams of the pieces that a handler yields, or that what it returns does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from slimeweb import BodyWriter, ClientDisconnected
from slimeweb_stream.base import BaseStream, Events
from slimeweb_stream.events import COMMENT
from slimeweb_stream.pieces import to_bytes

__all__ = ["iterate"]


def iterate(stream: BaseStream, iterable: Iterator[Any] | AsyncIterator[Any]) -> None:
    """Has the pieces sent as `resp.stream` does: once the route's middleware is done, closing the iterable at the
    end.
    """
    is_events = stream._give_up_sending()
    pieces = (AsyncPieces if isinstance(iterable, AsyncIterator) else Pieces)(stream, iterable, is_events)
    stream._resp.stream(pieces, on_begin=pieces.begin)


class _Pieces:
    """What an iterable of a handler's yields, as bytes. A stream of events has comments between them."""

    __slots__ = ("_events", "_iterable", "_stream")

    def __init__(self, stream: BaseStream, iterable: Any, is_events: bool) -> None:
        self._stream = stream
        self._iterable = iterable
        self._events = Events() if is_events else None

    def begin(self, writer: BodyWriter) -> None:
        """The iteration begins. From here on an event stream is kept alive, also ahead of its first event."""
        stream = self._stream
        stream._writer = writer
        stream._on_keep_alive = self._set_timer
        if self._events is not None:
            self._set_timer()
            stream._surroundings.stop_callbacks.add(self.stop)

    def stop(self) -> None:
        """Ends an event stream since the server stops. Usable from any thread."""
        self._write_between(b"")
        self._stream._writer.stop()

    def _writing(self) -> AbstractContextManager[object]:
        """Held from when a piece is given away until it is written: no comment comes in between."""
        return nullcontext() if self._events is None else self._events.lock

    def _note(self, piece: bytes) -> None:
        if self._events is not None:
            self._events.note(piece)
            self._events.put_off()

    def _set_timer(self) -> None:
        events = self._events
        if events is None:
            return
        if events.timer is not None:
            events.timer.cancel()
        events.timer = self._stream._add_timer(self._comment) if self._stream.keep_alive > 0 else None

    def _comment(self) -> bool:
        return not self._stream._writer.is_closed and self._write_between(COMMENT)

    def _write_between(self, piece: bytes) -> bool:
        """Writes between two events, behind the head; nothing while an event is on its way. False where nothing can be
        written any more.
        """
        events, writer = self._events, self._stream._writer
        if events is None or not events.lock.acquire(blocking=False):
            return True
        try:
            if not writer.started:
                writer.start()
            if piece and events.is_between():
                writer.try_write(piece)
        except (ClientDisconnected, RuntimeError):
            return False
        finally:
            events.lock.release()
        return True

    def _end(self) -> None:
        # It leads back here: the two would stay until the collector runs.
        self._stream._on_keep_alive = None
        if self._events is not None:
            self._stream._surroundings.stop_callbacks.discard(self.stop)
            if self._events.timer is not None:
                self._events.timer.cancel()


class Pieces(_Pieces):
    """Of a plain iterable."""

    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        writing = self._writing()
        for data in self._iterable:
            piece = to_bytes(data)
            with writing:
                yield piece
                self._note(piece)

    def close(self) -> None:
        """The iteration is over, or does not take place."""
        try:
            close = getattr(self._iterable, "close", None)
            if close is not None:
                close()
        finally:
            self._end()


class AsyncPieces(_Pieces):
    """Of an asynchronous iterable."""

    __slots__ = ()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        writing = self._writing()
        async for data in self._iterable:
            piece = to_bytes(data)
            with writing:
                yield piece
                self._note(piece)

    async def aclose(self) -> None:
        """The iteration is over."""
        try:
            aclose = getattr(self._iterable, "aclose", None)
            if aclose is not None:
                await aclose()
        finally:
            self._end()
