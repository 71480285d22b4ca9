"""The route kind `ws`: wraps a WebSocket handler into one of a request and a response."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slimeweb import ClientDisconnected, RouteSpec, Slime, SlimeRequest, SlimeResponse
from slimeweb.routing import BODY_SIZE
from slimeweb_ws.callbacks import Checks
from slimeweb_ws.connections import Connections
from slimeweb_ws.handshake import Handshake, read_handshake
from slimeweb_ws.options import WebSocketOptions
from slimeweb_ws.response import WebSocketResponse
from slimeweb_ws.session import Session

__all__ = ["wrap"]

Handler = Callable[..., Any]


def wrap(app: Slime, route: RouteSpec, handler: Handler, connections: Connections) -> Handler:
    """The handler that the core calls: it checks the request to upgrade, gives the user's handler a connection, and has
    the protocol switched unless that one has answered otherwise.
    """
    opening = _Opening(app, route, connections)

    def run(req: SlimeRequest, resp: SlimeResponse) -> object:
        handshake, session, response = opening.begin(req, resp)
        try:
            result = handler(req, response)
        except BaseException:
            session.connection.discard()
            raise
        return opening.finish(resp, handshake, response, session, result)

    async def run_async(req: SlimeRequest, resp: SlimeResponse) -> object:
        handshake, session, response = opening.begin(req, resp)
        try:
            result = await handler(req, response)
            if response._is_accepted:
                # Ahead of the closing handshake: where one fails, the client is told.
                await req.resources.end()
        except BaseException as error:
            if response._is_accepted:
                await _end(session, error)
            else:
                session.connection.discard()
            raise
        if response._is_accepted:
            await session.finish(1000, "")
            return None
        return opening.finish(resp, handshake, response, session, result)

    return run_async if route.is_async else run


async def _end(session: Session, error: BaseException) -> None:
    """Closes the connection of a handler that has accepted it and has raised."""
    if isinstance(error, asyncio.CancelledError):
        session.give_up()
    elif isinstance(error, ClientDisconnected) and session.connection.is_closed:
        await session.finish(1000, "")
    else:
        session.report(error)
        await session.finish(1011, "internal error")


class _Opening:
    """The opening handshakes of one route."""

    __slots__ = ("_checks", "_connections", "_is_async", "_max_message_size", "_options", "_report", "_where")

    def __init__(self, app: Slime, route: RouteSpec, connections: Connections) -> None:
        options: WebSocketOptions = route.options["ws"]
        size = options.max_message_size if options.max_message_size is not None else route.body_size
        self._max_message_size = BODY_SIZE if size is None else size
        self._options = options
        self._checks = Checks()
        self._connections = connections
        self._where = str(route)
        self._is_async = route.is_async
        # None where nobody wants to know, so that no connection keeps its request for that.
        self._report = app.report_exception if app.plugins.implements("slime_exception") else None

    def begin(self, req: SlimeRequest, resp: SlimeResponse) -> tuple[Handshake, Session, WebSocketResponse]:
        """A connection that is not open yet. `HttpError` for a request that is refused."""
        handshake = read_handshake(req, self._options)
        report = None if self._report is None else partial(self._report, where="websocket", req=req)
        session = Session(
            self._where, self._options, self._max_message_size, handshake.offers, self._connections, report
        )
        identity = secrets.token_hex(8)
        switch = partial(self._switch, resp, handshake, session) if self._is_async else None
        response = WebSocketResponse(identity, session, handshake.subprotocol, resp, self._checks, switch)
        return handshake, session, response

    def _switch(self, resp: SlimeResponse, handshake: Handshake, session: Session) -> Awaitable[object]:
        connection = session.connection
        return resp.switch_protocol(connection, handshake.headers(connection.extension))

    def finish(
        self, resp: SlimeResponse, handshake: Handshake, response: WebSocketResponse, session: Session, result: object
    ) -> object:
        """Switches the protocol, or lets the handler's own answer stand."""
        response._handler_returned()
        if result is not None and result is not response and result is not resp:
            resp.accept(result)
        if resp.is_set or resp.status >= 300:
            session.connection.discard()
            return resp if resp.is_set else resp.empty(resp.status)
        self._switch(resp, handshake, session)
        return None
