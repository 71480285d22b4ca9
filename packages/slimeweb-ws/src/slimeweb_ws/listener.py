"""The interface between a native connection and its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

__all__ = ["MESSAGE", "Listener", "Event", "Transport"]

Event: TypeAlias = str | bytes | tuple[Literal["open"]] | tuple[Literal["error"], int, str] | tuple[Literal["close"]]
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
    """What a connection calls, on the loop's thread."""

    def opened(self, transport: Transport) -> None:
        """The 101 is out."""

    def ready(self) -> None:
        """There are events, and no thread or task is taking them."""

    def closing(self) -> None:
        """The closing handshake has begun: time it from here."""

    def close_deferred(self) -> None:
        """The client has closed while events wait for callbacks. They get a while; `answer_close` is to follow."""

    def lost(self) -> None:
        """The connection is gone."""
