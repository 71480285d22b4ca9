"""The hook implementations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wsproto.utilities import generate_accept_token

from slimeweb import RouteKind, RouteOption, RouteSpec, Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.header import split_list
from slimeweb_wsproto.socket import WebSocket

__all__ = ["WebSocketLoop"]


class WebSocketLoop:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        # Handlers join on their loops, and are told from the main thread.
        self._lock = threading.Lock()
        self._open: set[WebSocket] = set()

    @hookimpl
    def slime_app_members(self, app: Slime) -> Mapping[str, Any]:
        """`@app.socket_loop(path)`."""

        def socket_loop(path: str, **options: Any) -> Callable[[Any], Any]:
            return app.route(path=path, socket_loop=True, **options)

        return {"socket_loop": socket_loop}

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        """`route(socket_loop=True)`."""
        return [RouteOption("socket_loop", default=False, validate=bool)]

    @hookimpl
    def slime_route_kind(self, route: RouteSpec) -> RouteKind | None:
        """Such a route's handler gets a socket in place of the response."""
        return RouteKind("socket loop", self._wrap) if route.options["socket_loop"] else None

    @hookimpl
    def slime_stopping(self) -> None:
        """Says 1001 to every client (section 7.4.1)."""
        with self._lock:
            sockets = list(self._open)
        for socket in sockets:
            socket.close_soon(1001)

    def _wrap(self, route: RouteSpec, handler: Callable[[SlimeRequest, WebSocket], Any]) -> Callable[..., Any]:
        if not route.is_async:
            raise TypeError("a socket loop is a coroutine: write 'async def'")

        async def run(req: SlimeRequest, resp: SlimeResponse) -> Any:
            key = req.header.get("sec-websocket-key")
            if key is None or "websocket" not in [name.lower() for name in split_list(req.header.get("upgrade", ""))]:
                resp.set_header("Upgrade", "websocket")
                return resp.plain("this path speaks WebSocket\n", status=426)
            socket = WebSocket()
            accept = generate_accept_token(key.encode()).decode()
            await resp.switch_protocol(socket, [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept)])
            with self._lock:
                self._open.add(socket)
            try:
                await handler(req, socket)
            except BaseException:
                socket.close(1011)
                raise
            finally:
                with self._lock:
                    self._open.discard(socket)
            socket.close(1000)
            return None

        return run
