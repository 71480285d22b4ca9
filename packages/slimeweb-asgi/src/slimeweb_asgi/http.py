"""One HTTP request to an ASGI application.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

from slimeweb import BodyChunks, BodyWriter, ClientDisconnected, SlimeRequest, SlimeResponse
from slimeweb.errors import IncompleteBody
from slimeweb.stopping import StopCallbacks
from slimeweb_asgi.websocket import Session, is_websocket

__all__ = ["Mount", "http_handler"]

Message = dict[str, Any]


@dataclass(slots=True)
class Mount:
    """What all requests of a mounted application have in common.

    `server` is where the slimeweb application listens, `state` what the application's lifespan has left: each request
    gets a copy.
    """

    path: str
    state: dict[str, Any]
    stop_callbacks: StopCallbacks
    server: tuple[str, int | None] | None = None


def http_handler(application: Any, mount: Mount) -> Callable[..., Awaitable[None]]:
    """The handler that calls an application."""

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        client, headers = req.client, req.raw_headers
        # Names and values are as the client sent them.
        scope: Message = {
            "type": "http",
            # From 2.4 on `send` raises when the client has left.
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": req.http_version,
            "server": mount.server,
            # Proxies forward no port.
            "client": None if client == "unix" else (client, req.client_port or 0),
            "scheme": req.scheme,
            "method": req.method,
            "root_path": mount.path,
            "path": req.path,
            "raw_path": req.raw_path.encode(),
            "query_string": req.query_string.encode(),
            "headers": headers,
            "state": mount.state.copy(),
            "extensions": {},
        }
        # Quicker than `req.header`, for a field that hardly any request has.
        if b"upgrade" in dict(headers) and is_websocket(req):
            await _run_websocket(application, scope, Session(req, resp, mount.stop_callbacks))
            return
        exchange = Exchange(req, resp)
        call = application(scope, exchange.receive, exchange.send)
        try:
            await _run(call if type(call) is CoroutineType else _awaited(call), exchange)
        except BaseException:
            # An answer that is complete is the client's, whatever the application does after it: frameworks answer a
            # failure themselves, and raise it again for the server to report.
            exchange.release()
            raise
        exchange.finish()

    return handler


async def _run_websocket(application: Any, scope: Message, session: Session) -> None:
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
    scope["subprotocols"] = session.subprotocols
    scope["extensions"] = {"websocket.http.response": {}}
    try:
        await application(scope, session.receive, session.send)
    except BaseException:
        await session.finish(1011)
        raise
    await session.finish()


class Exchange:
    """A request and its answer, in ASGI's messages.

    A whole answer is held back until the application returns or waits: then it needs no stream.
    """

    __slots__ = ("_chunks", "_ended", "_has_left", "_is_read", "_req", "_resp", "_started", "_writer", "held")

    def __init__(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        self._req = req
        self._resp = resp
        self._chunks: BodyChunks | None = None
        self._is_read = False
        self._has_left = False
        self._started = False
        self._ended = False
        self._writer: BodyWriter | None = None
        self.held: bytes | None = None

    async def receive(self) -> Message:
        """The next piece of the body; after its end, when the client has left."""
        if not self._is_read:
            if self._chunks is None:
                self._chunks = self._req.chunks()
            try:
                piece = await anext(self._chunks)
            except StopAsyncIteration:
                self._is_read = True
                return {"type": "http.request", "body": b"", "more_body": False}
            except IncompleteBody:
                # Asked again, it must not hear that the body was whole.
                self._is_read = self._has_left = True
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": piece, "more_body": True}
        if not self._ended and not self._has_left:
            await self._resp.client_disconnected()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Takes a part of the answer. `OSError` when the client has left, `RuntimeError` for what has no place."""
        kind = message["type"]
        if kind == "http.response.start" and not self._started:
            self._started = True
            self._resp.set_status(message["status"])
            self._resp.add_raw_headers(message.get("headers", ()))
        elif kind == "http.response.body" and self._started and not self._ended:
            body, more = message.get("body", b""), message.get("more_body", False)
            self._ended = not more
            writer = self._writer
            if writer is None:
                if not more:
                    self.held = body
                    return
                writer = self._writer = self._begin()
            try:
                if body:
                    while not writer.try_write(body):
                        await writer.drain()
                if not more:
                    writer.close()
            except ClientDisconnected as error:
                raise OSError("the client has left") from error
        else:
            raise RuntimeError(f"the ASGI application has sent {kind!r}, which has no place here")

    def release(self) -> None:
        """Sends the answer that is held: the application goes on after it."""
        body, self.held = self.held, None
        if body is not None:
            try:
                writer = self._begin(len(body))
                if body:
                    writer.try_write(body)
                writer.close()
            except ClientDisconnected:
                # What the application does from here on is not for its client.
                pass

    def finish(self) -> None:
        """The application has returned."""
        if self.held is not None:
            self._resp.bytes(self.held, content_type=None)
        elif not self._ended:
            raise RuntimeError("the ASGI application has returned before its answer was complete")

    def _begin(self, high_water: int = 65536) -> BodyWriter:
        writer = self._resp.writer(max(high_water, 1), cancel=False)
        writer.start()
        return writer


@types.coroutine
def _run(coroutine: Any, exchange: Exchange) -> Generator[Any, Any, None]:
    """Awaits `coroutine`, in the same task. Where it waits while a whole answer is held, that goes out first."""
    resume, argument = coroutine.send, None
    while True:
        try:
            awaited = resume(argument)
        except StopIteration:
            return
        if exchange.held is not None:
            exchange.release()
        try:
            resume, argument = coroutine.send, (yield awaited)
        except BaseException as error:
            resume, argument = coroutine.throw, error


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable
