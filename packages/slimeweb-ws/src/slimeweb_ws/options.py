"""The options of a WebSocket route."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from slimeweb.origins import Origins
from slimeweb.tokens import TOKEN

__all__ = ["WebSocketOptions", "validate_ws"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """The options of one route, as `@app.websocket` takes them. Sizes in bytes, times in seconds.

    - `max_message_size`: how long a message may be, all its fragments together and decompressed. `None`: the route's
      `body_size`. A longer one closes the connection with 1009.
    - `subprotocols`: those the application speaks; the client's first that is among them is chosen.
    - `origins`: those whose pages are let in, as `https://example.com`, or `https://*.example.com` for every host below
      one; others get a 403. `None` lets everyone in: a page of any site can then open a connection with its visitor's
      cookies.
    - `ping_interval`: a client that has been silent so long is sent a ping; `None`: never.
    - `ping_timeout`: one that stays silent so long after it is cut off; `None`: never.
    - `idle_timeout`: a connection without a message for so long is closed with 1001; `None`: never.
    - `close_timeout`: how long the client may take to answer a close, and callbacks to answer what it sent before it
      closed.
    - `send_buffer`: how much may wait for a client that reads slower than it is sent to.
    - `deflate`: whether messages are compressed where the client can (RFC 7692), those of at least `deflate_threshold`
      bytes with `deflate_level` 1 to 9. With `context_takeover` messages may refer back to earlier ones: smaller, for
      some 300 KiB of memory per connection.
    """

    max_message_size: int | None = None
    subprotocols: tuple[str, ...] = ()
    origins: frozenset[str] | None = None
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 20.0
    idle_timeout: float | None = None
    close_timeout: float = 10.0
    send_buffer: int = 1024 * 1024
    deflate: bool = True
    deflate_level: int = 1
    deflate_threshold: int = 1024
    context_takeover: bool = False
    allowed: Origins | None = field(default=None, init=False, repr=False, compare=False)
    """What `origins` stand for."""

    def __post_init__(self) -> None:
        """`ValueError` or `TypeError` for a value that will not do. Lists become what the fields say."""
        object.__setattr__(self, "subprotocols", _names("subprotocols", self.subprotocols))
        if self.origins is not None:
            origins = frozenset(_names("origins", self.origins))
            if "*" in origins:
                raise ValueError("origins: '*' would match nothing: leave origins out to let everyone in")
            if not origins:
                raise ValueError("origins=[] lets nobody in: name an origin, such as 'https://example.com'")
            object.__setattr__(self, "origins", origins)
            object.__setattr__(self, "allowed", Origins("origins", origins))
        for name in ("deflate", "context_takeover"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}={getattr(self, name)!r} has to be True or False")
        for name in self.subprotocols:
            # RFC 6455, section 4.1.
            if not TOKEN.fullmatch(name):
                raise ValueError(f"subprotocols: {name!r} is not a name: use letters, digits and punctuation like '.'")
        for name, least in (("send_buffer", 1), ("deflate_threshold", 0)):
            _whole(name, getattr(self, name), least)
        if self.max_message_size is not None:
            _whole("max_message_size", self.max_message_size, 0)
        _whole("deflate_level", self.deflate_level, 1, 9)
        for name in ("ping_interval", "ping_timeout", "idle_timeout"):
            if getattr(self, name) is not None:
                _seconds(name, getattr(self, name), " (or None for never)")
        _seconds("close_timeout", self.close_timeout, "")


def validate_ws(value: object) -> WebSocketOptions | None:
    """The route option `ws`: true, false or options."""
    if isinstance(value, WebSocketOptions):
        return value
    if value is True:
        return WebSocketOptions()
    if value is False or value is None:
        return None
    raise TypeError(f"ws={value!r} has to be True, False or WebSocketOptions(…)")


def _names(option: str, value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"{option}={value!r} has to be a list: use [{value!r}]")
    names = tuple(value)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{option}: {name!r} has to be a str")
    return names


def _whole(option: str, value: object, least: int, most: int = 2**62) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        upper = "" if most == 2**62 and (not isinstance(value, int) or value < most) else f" and at most {most}"
        raise ValueError(f"{option}={value!r} has to be a whole number, at least {least}{upper}")


def _seconds(option: str, value: object, otherwise: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{option}={value!r} has to be a number of seconds above 0{otherwise}")
