"""The response that synchronous streaming handlers get."""

from __future__ import annotations

from typing import Any

from slimeweb import ClientDisconnected
from slimeweb_stream.base import REFUSING, BaseStream
from slimeweb_stream.events import COMMENT, format_comment, format_event
from slimeweb_stream.pieces import to_bytes

__all__ = ["StreamResponse"]


class StreamResponse(BaseStream):
    """A response that is sent piece by piece.

    @app.stream(path="/numbers", content="text/plain")
    def numbers(req, resp):
        resp.start_stream()
        for number in range(5):
            resp.send(number)
        resp.close()
    """

    __slots__ = ()

    def send(self, data: Any, strict_order: bool = True) -> None:
        """Sends text, bytes, or anything else as JSON, waiting while the client is behind.

        `ClientDisconnected` once the client has left, `RuntimeError` before `start_stream()` or after `close()`. With
        `strict_order=False` the first failure is logged instead, and the others pass.
        """
        piece = data if isinstance(data, str) else to_bytes(data)
        try:
            send_piece = self._send_piece
            if send_piece is None:
                self._write(piece)
            else:
                send_piece(piece)
        except (ClientDisconnected, RuntimeError) as error:
            if strict_order:
                raise
            self._tell_unsent(error)

    def send_event(self, data: Any, event: str | None = None, id: str | None = None, retry: int | None = None) -> None:
        """Sends a server-sent event; `retry` is in milliseconds.

        Raises as `send` does, `ValueError` for a field with a line break.
        """
        self._write(format_event(data, event, id, retry))

    def send_comment(self, text: str = "") -> None:
        """Sends a comment of an event stream, which clients pass over."""
        self._write(format_comment(text))

    def close(self) -> None:
        """Ends the stream; the client sees a complete answer. A handler that returns without it ends it as well."""
        if self._send_piece in REFUSING:
            self._send_piece(b"")
        self._writer.close()

    def _write(self, piece: bytes | str) -> None:
        if self._send_piece is not None:
            self._send_piece(piece)
            return
        events = self._events
        # So that no comment comes between a piece and the note of how it ends.
        with events.lock:
            self._writer.write(piece)
            events.note(piece)
            events.put_off()

    def _keep_alive(self) -> bool:
        if self._writer.is_closed:
            return False
        events = self._events
        if not events.lock.acquire(blocking=False):
            # A handler that is sending, or a client that is behind, needs no comment.
            return True
        try:
            if events.is_between():
                self._writer.try_write(COMMENT)
        except (ClientDisconnected, RuntimeError):
            return False
        finally:
            events.lock.release()
        return True
