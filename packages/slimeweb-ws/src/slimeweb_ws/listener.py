"""What a native connection and its session are to each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

__all__ = ["MESSAGE", "Listener", "Note", "Transport"]

Note: TypeAlias = str | bytes | tuple[Literal["open"]] | tuple[Literal["error"], int, str] | tuple[Literal["close"]]
"""Something for a callback: a message, that the connection is open, what the client did wrong, or that it is over."""

MESSAGE = (str, bytes)
"""What a message is, for `isinstance`: `str | bytes` would be an object made anew each time."""


class Transport(Protocol):
    """What a session needs of the core's transport."""

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Calls back in the loop's thread."""

    def call_plain(self, callback: Callable[..., object], *args: Any) -> bool:
        """Calls back as plain handlers are called, where waiting is allowed; false when there is no place."""


class Listener(Protocol):
    """What a connection tells, in the loop's thread."""

    def opened(self, transport: Transport) -> None:
        """The 101 is out."""

    def ready(self) -> None:
        """There is something to take, and nobody is taking."""

    def closing(self) -> None:
        """The closing handshake has begun: time it from here."""

    def close_deferred(self) -> None:
        """The client has closed while events wait for callbacks. They get a while; `answer_close` is to follow."""

    def lost(self) -> None:
        """The connection is gone."""
