"""`app.websocket`: declaring a WebSocket route."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from slimeweb.errors import MethodException
from slimeweb.handlers import check_parentheses
from slimeweb.methods import covers, parse_methods
from slimeweb.router import Declarations
from slimeweb.spelling import closest
from slimeweb_ws.members import Declare, H
from slimeweb_ws.options import WebSocketOptions

__all__ = ["websocket"]

_OPTIONS = frozenset(field.name for field in fields(WebSocketOptions) if field.init)


def websocket(on: Declarations) -> Declare:
    """The declaring function of an application, or of one include of a router."""

    def declare(path: str = "/", method: str | Iterable[str] = "GET", **options: Any) -> Callable[[H], H]:
        """Declares a WebSocket route: `app.route` with `ws=WebSocketOptions(…)`.

        Takes the fields of `WebSocketOptions` and everything that `app.route` takes; `body_size` is how many bytes a
        message may have. `method` is GET, by which WebSocket connections are opened. Raises as `WebSocketOptions` and
        `app.route` do.
        """
        check_parentheses("app.websocket", path, 'app.websocket(path="/")')
        ours = {name: value for name, value in options.items() if name in _OPTIONS}
        others = {name: value for name, value in options.items() if name not in _OPTIONS}
        for name in others:
            meant = closest(name, _OPTIONS, cutoff=0.75)
            if meant is not None:
                raise TypeError(f"app.websocket() has no option {name!r}: did you mean {meant!r}?")
        if not covers(parse_methods(method), "GET"):
            raise MethodException(
                f"app.websocket(method={method!r}): WebSocket connections are opened by GET; leave it out"
            )
        return on.route(path=path, method=method, **{**others, "ws": WebSocketOptions(**ours)})

    return declare
