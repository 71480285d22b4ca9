"""What slimeweb-ws adds, for type checkers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

from slimeweb import SlimeRequest
from slimeweb.routing import RouteArguments
from slimeweb_ws.options import WebSocketOptions
from slimeweb_ws.response import WebSocketResponse
from slimeweb_ws.rooms import Room

__all__ = ["AppMembers", "Declare", "DeclaringMembers", "H", "RouteOptions", "WebSocketArguments"]

H = TypeVar("H", bound=Callable[[SlimeRequest, WebSocketResponse], Any])


class WebSocketArguments(RouteArguments, total=False):
    """The keyword arguments of `app.websocket`: the fields of `WebSocketOptions`, and what `app.route` takes."""

    max_message_size: int | None
    subprotocols: Iterable[str]
    origins: Iterable[str] | None
    ping_interval: float | None
    ping_timeout: float | None
    idle_timeout: float | None
    close_timeout: float
    send_buffer: int
    deflate: bool
    deflate_level: int
    deflate_threshold: int
    context_takeover: bool


class Declare(Protocol):
    """The type of `app.websocket`."""

    def __call__(
        self, path: str = "/", method: str | Iterable[str] = "GET", **options: Unpack[WebSocketArguments]
    ) -> Callable[[H], H]:
        """Declares a WebSocket route."""


class AppMembers:
    """Attributes of applications."""

    room: Callable[[str], Room]


class DeclaringMembers:
    """Attributes of applications and routers."""

    websocket: Declare


class RouteOptions(TypedDict, total=False):
    """Keyword arguments of `route()`."""

    ws: WebSocketOptions | bool | None
