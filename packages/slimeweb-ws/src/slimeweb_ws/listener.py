"""The interface between a native connection and its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from slimeweb_ws._native import CloseEvent, ErrorEvent, OpenEvent
from slimeweb_ws.callbacks import Callbacks

__all__ = ["MESSAGE", "Listener", "Event", "Transport"]

Event: TypeAlias = str | bytes | OpenEvent | ErrorEvent | CloseEvent
"""An event for a callback: a message, the opening, a protocol error of the client, or the close."""

MESSAGE = (str, bytes)
"""The types of a message, for `isinstance`: `str | bytes` would make an object at each call."""


class Transport(Protocol):
    """What a session needs of the core's transport."""

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Calls back in the loop's thread."""

    def call_plain(self, callback: Callable[..., object], *args: Any) -> bool:
        """Calls back as plain handlers are called, where waiting is allowed; false when there is no place."""


class Listener(Protocol):
    """What a connection calls: `resume` in the thread that runs callbacks, all else in the loop's."""

    callbacks: Callbacks
    """What the application has registered. The connection itself calls the plain function for messages."""

    def opened(self, transport: Transport) -> None:
        """The 101 is out."""

    def ready(self) -> None:
        """There are events, no thread or task is taking them, and the connection has not scheduled one."""

    def resume(self, called: int, event: Event | None, failure: BaseException | None) -> None:
        """A sync function has been called for `called` messages. `event` has been taken beyond them; `failure` is what
        the last call has raised.
        """

    def closing(self) -> None:
        """The closing handshake has begun: time it from here."""

    def close_deferred(self) -> None:
        """The client has closed while events wait for callbacks. They get a while; `answer_close` is to follow."""

    def lost(self) -> None:
        """The connection is gone."""
