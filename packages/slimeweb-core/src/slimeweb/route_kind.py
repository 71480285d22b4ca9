"""How a route answers, where that is not a plain response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slimeweb.routing import RouteSpec

__all__ = ["RouteKind"]


@dataclass(frozen=True, slots=True)
class RouteKind:
    """A way to answer that a plugin brings.

    `wrap(route, handler)` is called once, at start, and returns the callable that takes the handler's place: two
    arguments, the core's own request and response, and a coroutine function exactly when the handler is one
    (`route.is_async`). It hands the handler whatever response object its kind of route calls for. Two
    mechanisms are there to build on: `resp.writer()` for a body sent piece by piece, `resp.switch_protocol(protocol,
    headers)` for another protocol on the same connection. Middleware stays outside: it sees the request before the
    first byte of the answer goes out.

    `name` tells kinds apart in error messages and documentation; two plugins cannot use the same one.
    """

    name: str
    wrap: Callable[[RouteSpec, Callable[..., Any]], Callable[..., Any]]
