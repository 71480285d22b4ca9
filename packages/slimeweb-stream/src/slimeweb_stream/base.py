"""What synchronous and asynchronous streaming responses share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slimeweb import SlimeRequest, SlimeResponse
from slimeweb.routing import RouteResponse
from slimeweb.stopping import StopCallbacks
from slimeweb_stream.keep_alive_timer import KeepAliveTimer, Timer

__all__ = ["REFUSING", "BaseStream", "ContentType", "Events", "Surroundings", "logger", "not_started"]

logger = logging.getLogger("slimeweb")

KEEP_ALIVE = 15.0
"""Seconds of silence after which an event stream sends a comment, as the standard advises."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """The default content type of a route's streams, parsed once."""

    declared: str
    header: str
    is_events: bool

    @classmethod
    def of(cls, declared: str) -> ContentType:
        """Text says which charset it is in; event streams are UTF-8 by definition (WHATWG HTML, section 9.2)."""
        is_events = _is_events(declared)
        is_text = declared.startswith("text/") and not is_events and "charset" not in declared
        return cls(declared, f"{declared}; charset=utf-8" if is_text else declared, is_events)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all streams of a route have in common."""

    content_type: ContentType
    keep_alive_timer: KeepAliveTimer
    stop_callbacks: StopCallbacks


class BaseStream(RouteResponse):
    """A response that is sent piece by piece.

    What it does not have itself (status, cookies, …) it takes from the response under it.
    """

    # Slots, and few of them, since a class with __getattr__ looks everything up the slow way. What most streams never
    # change is the class's until it is set. A handler may still keep something of its own there.
    __slots__ = ("__dict__", "__weakref__", "_events", "_req", "_resp", "_send_piece", "_surroundings", "_writer")

    _told = False
    _keep_alive_seconds: float = KEEP_ALIVE
    _on_keep_alive: Callable[[], object] | None = None
    """What is told of another `keep_alive`, where the pieces are those of a generator."""
    _events: Events
    """What an event stream has besides. Set when it starts."""

    def __init__(self, req: SlimeRequest, resp: SlimeResponse, surroundings: Surroundings) -> None:
        self._req = req
        self._resp = resp
        self._surroundings = surroundings
        self._writer = resp.writer()
        # Once the stream has started the writer's own method, bound once; None where a piece needs more than that: in
        # streams of events.
        self._send_piece: Callable[[bytes | str], Any] | None = not_started

    @property
    def keep_alive(self) -> float:
        """Seconds of silence after which an event stream sends a comment: 15; 0 for never."""
        return self._keep_alive_seconds

    @keep_alive.setter
    def keep_alive(self, seconds: float) -> None:
        self._keep_alive_seconds = seconds
        if self._on_keep_alive is not None:
            self._on_keep_alive()

    @property
    def content_type(self) -> str:
        """The stream's content type."""
        return self._resp.content_type or self._surroundings.content_type.declared

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
        return self._surroundings.stop_callbacks.is_stopping

    def start_stream(self) -> None:
        """Sends status and headers. `RuntimeError` when that has been done.

        A handler that returns without it answers with the status that it has set, else 204, and without a body.
        """
        if self._on_keep_alive is not None:
            self._writer.start()
            return
        is_events = self._set_headers()
        # Before it has: a client that has left in between is what later calls are told.
        self._send_piece = self._writer.write
        self._writer.start()
        if is_events:
            self._begin_events()

    def _give_up_sending(self) -> bool:
        """The pieces are those that a generator yields: nothing is sent by hand. True for a stream of events."""
        self._send_piece = not_yielded
        return self._set_headers()

    def stop(self) -> None:
        """Ends an event stream since the server stops: its client sees a complete answer, its handler is told as if the
        client had left. Usable from any thread.
        """
        self._writer.stop()

    def end(self) -> None:
        """Stops the keep-alive. What ends the body is the server, which knows whether the handler failed."""
        if self._send_piece is None:
            self._surroundings.stop_callbacks.discard(self.stop)
            if self._events.timer is not None:
                self._events.timer.cancel()

    def _set_headers(self) -> bool:
        """Sets the headers that the stream's type wants. True for a stream of events."""
        resp = self._resp
        content_type = resp.content_type
        if content_type:
            is_events = _is_events(content_type)
        else:
            default = self._surroundings.content_type
            resp.set_header("Content-Type", default.header)
            is_events = default.is_events
        if is_events and "cache-control" not in resp.headers:
            resp.set_header("Cache-Control", "no-cache")
        return is_events

    def _begin_events(self) -> None:
        self._events = events = Events()
        self._send_piece = None
        if self.keep_alive > 0:
            events.timer = self._add_timer(self._keep_alive)
        self._surroundings.stop_callbacks.add(self.stop)

    def _tell_unsent(self, error: Exception) -> None:
        """Logs the first piece that was not sent; a handler that goes on sending would repeat it without end."""
        if not self._told:
            self._told = True
            logger.warning("a piece of the stream %s was not sent (later ones are not logged): %s", self._path, error)

    @property
    def _path(self) -> str:
        # The path is the client's own: a line break in it would forge a line of the log.
        return ascii(self._req.path)[1:-1]

    def _add_timer(self, keep_alive: Callable[[], bool]) -> Timer:
        """Has `keep_alive` called after each silence, on the thread of all timers, until it says False."""

        def act() -> bool:
            try:
                return keep_alive()
            except Exception as error:
                # No stream may end that thread, and a body filter may raise anything.
                logger.exception("the keep-alive of the stream %s failed", self._path)
                self._req.app.report_exception(error, "stream", self._req)
                return False

        return self._surroundings.keep_alive_timer.add(act, self.keep_alive)

    def _keep_alive(self) -> bool:
        """Sends a comment if nothing stands in its way. False when there is nothing to keep alive any more."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resp, name)


class Events:
    """What a stream of events has besides: how far the last one has come, and the keep-alive."""

    __slots__ = ("_tail", "lock", "timer")

    def __init__(self) -> None:
        self.timer: Timer | None = None
        """None where there is no keep-alive."""
        self.lock = threading.Lock()
        """For a stream that several threads may send to."""
        self._tail = b"\n\n"

    def note(self, piece: bytes | str) -> None:
        """Keeps the end of what the stream has been given: as much of it as tells whether an event is over."""
        end = piece[-4:]
        self._tail = (self._tail + (end.encode(errors="replace") if isinstance(end, str) else end))[-4:]

    def put_off(self) -> None:
        """Starts the interval anew, since something was sent."""
        if self.timer is not None:
            self.timer.put_off()

    def is_between(self) -> bool:
        """Whether the last line was blank: only there a comment belongs to no event that is sent in pieces."""
        return self._tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n").endswith(b"\n\n")


def not_started(piece: object) -> None:
    """What sends a piece of a stream that has not been started: it raises."""
    raise RuntimeError("the stream has not been started: call resp.start_stream() before resp.send(…) and resp.close()")


def not_yielded(piece: object) -> None:
    """What sends a piece of a stream whose pieces are those that a generator yields: it raises."""
    raise RuntimeError("this stream has the pieces that its generator yields: write 'yield …' instead of resp.send(…)")


REFUSING = (not_started, not_yielded)
"""What sends no piece."""


def _is_events(content_type: str) -> bool:
    return content_type.startswith("text/event-stream")
