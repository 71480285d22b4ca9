"""What synchronous and asynchronous streaming responses share."""

from __future__ import annotations

import logging
import threading
from typing import Any

from slimeweb import SlimeRequest, SlimeResponse
from slimeweb_stream.pulse import Beat, Pulse

__all__ = ["BaseStream", "logger"]

logger = logging.getLogger("slimeweb")

KEEP_ALIVE = 15.0
"""Seconds of silence after which an event stream sends a comment, as the standard advises."""


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
        "_lock",
        "_pulse",
        "_req",
        "_resp",
        "_writer",
        "keep_alive",
    )

    def __init__(self, req: SlimeRequest, resp: SlimeResponse, content_type: str, pulse: Pulse) -> None:
        self._req = req
        self._resp = resp
        self._default_type = content_type
        self._pulse = pulse
        self._beat: Beat | None = None
        self._writer = resp.writer()
        # Keep-alive comments come from another thread, and a filter's output has to leave in the order it was made in.
        self._lock = threading.Lock()
        self.keep_alive = KEEP_ALIVE
        """Seconds of silence after which an event stream sends a comment; 0 for never."""

    @property
    def content_type(self) -> str:
        """The stream's content type."""
        return self._resp.content_type or self._default_type

    @property
    def headers(self) -> dict[str, str]:
        """The headers as they stand."""
        return self._resp.headers

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that a reconnecting client has seen (WHATWG HTML, section 9.2.6), else `None`."""
        return self._req.header.get("last-event-id")

    def set_header(self, key: str, value: str) -> None:
        """Sets a header. `RuntimeError` once the stream has started: headers are out by then."""
        self._resp.set_header(key, value)

    def is_closed(self) -> bool:
        """Whether nothing can be sent any more: closed, or the client has left."""
        return self._writer.is_closed

    def start_stream(self) -> None:
        """Sends status and headers. `RuntimeError` when that has been done."""
        resp = self._resp
        content_type = resp.content_type
        if not content_type:
            content_type = _with_charset(self._default_type)
            resp.set_header("Content-Type", content_type)
        is_events = content_type.startswith("text/event-stream")
        if is_events and "cache-control" not in resp.headers:
            resp.set_header("Cache-Control", "no-cache")
        self._writer.start()
        if is_events and self.keep_alive > 0:
            self._beat = self._pulse.add(self._keep_alive, self.keep_alive)

    def end(self) -> None:
        """Stops the keep-alive. What ends the body is the server, which knows whether the handler failed."""
        if self._beat is not None:
            self._beat.cancel()

    def _sent(self) -> None:
        if self._beat is not None:
            self._beat.put_off()

    def _keep_alive(self) -> bool:
        """Sends a comment if nothing stands in its way. False when there is nothing to keep alive any more."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resp, name)


def _with_charset(content_type: str) -> str:
    """Text says which charset it is in; event streams are UTF-8 by definition (WHATWG HTML, section 9.2)."""
    is_text = content_type.startswith("text/") and content_type != "text/event-stream"
    return f"{content_type}; charset=utf-8" if is_text and "charset" not in content_type else content_type
