"""What synchronous and asynchronous streaming responses share."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from slimeweb import SlimeRequest, SlimeResponse
from slimeweb_stream.open_streams import OpenStreams
from slimeweb_stream.pulse import Beat, Pulse

__all__ = ["BaseStream", "ContentType", "logger"]

logger = logging.getLogger("slimeweb")

KEEP_ALIVE = 15.0
"""Seconds of silence after which an event stream sends a comment, as the standard advises."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """What a route's streams are, unless a handler says otherwise: worked out once."""

    declared: str
    header: str
    is_events: bool

    @classmethod
    def of(cls, declared: str) -> ContentType:
        """Text says which charset it is in; event streams are UTF-8 by definition (WHATWG HTML, section 9.2)."""
        is_events = _is_events(declared)
        is_text = declared.startswith("text/") and not is_events and "charset" not in declared
        return cls(declared, f"{declared}; charset=utf-8" if is_text else declared, is_events)


class BaseStream:
    """A response that is sent piece by piece.

    What it does not have itself (status, cookies, …) it takes from the response under it.
    """

    # Slots, since a class with __getattr__ looks up everything else the slow way.
    # A handler may still keep something of its own there.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_beat",
        "_default_type",
        "_open_streams",
        "_pulse",
        "_req",
        "_resp",
        "_tail",
        "_told",
        "_writer",
        "keep_alive",
    )

    def __init__(
        self,
        req: SlimeRequest,
        resp: SlimeResponse,
        content_type: ContentType,
        pulse: Pulse,
        open_streams: OpenStreams,
    ) -> None:
        self._req = req
        self._resp = resp
        self._default_type = content_type
        self._pulse = pulse
        self._open_streams = open_streams
        self._beat: Beat | None = None
        self._writer = resp.writer()
        self._tail = b"\n\n"
        self._told = False
        self.keep_alive = KEEP_ALIVE
        """Seconds of silence after which an event stream sends a comment; 0 for never."""

    @property
    def content_type(self) -> str:
        """The stream's content type."""
        return self._resp.content_type or self._default_type.declared

    @property
    def headers(self) -> dict[str, str]:
        """The headers as they stand."""
        return self._resp.headers

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that a reconnecting client has seen (WHATWG HTML, section 9.2.6), else `None`."""
        received = self._req.header.get("last-event-id")
        if received is None or received.isascii():
            return received
        try:
            # Header fields are read as Latin-1; what browsers put into this one is UTF-8.
            return received.encode("latin-1").decode()
        except UnicodeError:
            return received

    def set_header(self, key: str, value: str) -> None:
        """Sets a header. `RuntimeError` once the stream has started: headers are out by then.

        What middleware has put into Vary stays: it has no later chance to put it back.
        """
        if key.lower() == "vary":
            value = ", ".join(dict.fromkeys((*self._resp.header_all("Vary"), value)))
        self._resp.set_header(key, value)

    def is_closed(self) -> bool:
        """Whether nothing can be sent any more: closed, the client has left, or the server has ended it."""
        return self._writer.is_closed

    def is_stopping(self) -> bool:
        """Whether the server is about to stop. Event streams have been ended then, others have the grace time."""
        return self._open_streams.stopping

    def start_stream(self) -> None:
        """Sends status and headers. `RuntimeError` when that has been done."""
        resp, default = self._resp, self._default_type
        content_type = resp.content_type
        if content_type:
            is_events = _is_events(content_type)
        else:
            resp.set_header("Content-Type", default.header)
            is_events = default.is_events
        if is_events and "cache-control" not in resp.headers:
            resp.set_header("Cache-Control", "no-cache")
        self._writer.start()
        if is_events:
            if self.keep_alive > 0:
                self._beat = self._pulse.add(self._keep_alive, self.keep_alive)
            self._open_streams.add(self)

    def stop(self) -> None:
        """Ends an event stream since the server stops: its client sees a complete answer, its handler is told as if the
        client had left. Usable from any thread.
        """
        self._writer.stop()

    def end(self) -> None:
        """Stops the keep-alive. What ends the body is the server, which knows whether the handler failed."""
        self._open_streams.discard(self)
        if self._beat is not None:
            self._beat.cancel()

    def _sent(self) -> None:
        if self._beat is not None:
            self._beat.put_off()

    def _tell_unsent(self, error: Exception) -> None:
        """Logs the first piece that was not sent; a handler that goes on sending would repeat it without end."""
        if not self._told:
            self._told = True
            # The path is the client's own: a line break in it would forge a line of the log.
            path = ascii(self._req.path)[1:-1]
            logger.warning("a piece of the stream %s was not sent (later ones are not logged): %s", path, error)

    def _note(self, piece: bytes | str) -> None:
        """Keeps the end of what an event stream has been given: as much of it as tells whether an event is over."""
        end = piece[-4:]
        self._tail = (self._tail + (end.encode(errors="replace") if isinstance(end, str) else end))[-4:]

    def _is_between_events(self) -> bool:
        """Whether the last line was blank: only there a comment belongs to no event that is sent in pieces."""
        return self._tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n").endswith(b"\n\n")

    def _keep_alive(self) -> bool:
        """Sends a comment if nothing stands in its way. False when there is nothing to keep alive any more."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resp, name)


def _is_events(content_type: str) -> bool:
    return content_type.startswith("text/event-stream")
