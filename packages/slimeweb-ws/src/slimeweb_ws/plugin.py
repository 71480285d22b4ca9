"""The hook implementations of slimeweb-ws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slimeweb import RouteKind, RouteOption, RouteSpec, Slime, hookimpl
from slimeweb.router import Declarations
from slimeweb_ws.connections import Connections
from slimeweb_ws.declaration import websocket
from slimeweb_ws.options import validate_ws
from slimeweb_ws.rooms import Rooms
from slimeweb_ws.route_kind import wrap

__all__ = ["WebSocketPlugin"]


_LAST_CALLBACKS = 2.0
"""Seconds that callbacks have once all connections are gone."""


class WebSocketPlugin:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._connections = Connections()
        self._rooms = Rooms()

    @hookimpl
    def slime_app_members(self) -> Mapping[str, Callable[..., Any]]:
        """`app.room(name)`."""
        return {"room": self._rooms.named}

    @hookimpl
    def slime_declarations(self, on: Declarations) -> Mapping[str, Callable[..., Any]]:
        """`@app.websocket(path, …)`, on routers too."""
        return {"websocket": websocket(on)}

    @hookimpl
    def slime_client_members(self) -> Mapping[str, Callable[..., Any]]:
        """`client.websocket(path, …)`."""
        # Only where there is a test.
        from slimeweb_ws.testing import websocket

        return {"websocket": websocket}

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        """`route(ws=True)`, or `route(ws=WebSocketOptions(…))`."""
        return [RouteOption("ws", default=None, validate=validate_ws)]

    @hookimpl
    def slime_route_kind(self, app: Slime, route: RouteSpec) -> RouteKind | None:
        """Routes with the option `ws` speak WebSocket."""
        if route.options["ws"] is None:
            return None
        return RouteKind("websocket", lambda route, handler: wrap(app, route, handler, self._connections))

    @hookimpl(optionalhook=True)
    def slime_docs_operation(self, route: RouteSpec) -> Mapping[str, Any] | None:
        """A document says of such a route that it answers with 101, and not with 200."""
        if route.options["ws"] is None:
            return None
        return {
            "requestBody": None,
            "responses": {
                "101": {"description": "The connection speaks WebSocket from here on (RFC 6455)"},
                "200": None,
                "426": {"description": "The request does not ask for WebSocket"},
            },
        }

    @hookimpl
    def slime_startup(self) -> None:
        """Lets connections open, also where the application has been stopped before."""
        self._connections.started()

    @hookimpl
    def slime_stopping(self, app: Slime) -> None:
        """Closes every connection with 1001."""
        self._connections.stop(app)

    @hookimpl
    def slime_shutdown(self) -> None:
        """Gives the last `on_close` callbacks time to return, before the event loops end."""
        self._connections.wait(_LAST_CALLBACKS)
