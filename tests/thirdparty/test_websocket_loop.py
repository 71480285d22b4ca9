"""A WebSocket as a loop in the handler, by a plugin on wsproto."""

from __future__ import annotations

import queue
import struct
from pathlib import Path
from typing import Any

import pytest

from slimeweb import ClientDisconnected, Slime, SlimeMiddleware, SlimeRequest, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.http2 import Http2
from support.toys import raw
from support.websocket import client_frame, open_websocket, server_frame
from support.wire import Wire

pytestmark = pytest.mark.usefixtures("installed")

PLUGIN = "slimeweb-wsproto"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture
def ends() -> queue.SimpleQueue[Any]:
    return queue.SimpleQueue()


@pytest.fixture
def app(ends: queue.SimpleQueue[Any]) -> Slime:
    app = Slime(__file__)

    @app.socket_loop("/echo")
    async def echo(req: SlimeRequest, socket: Any) -> None:
        async for message in socket:
            if message == "bye":
                break
            if message == "fail":
                raise RuntimeError("secret")
            await socket.send(message)
        ends.put(socket.close_code)

    @app.socket_loop("/flood")
    async def flood(req: SlimeRequest, socket: Any) -> None:
        try:
            while True:
                await socket.send(b"x" * 65536)
        except ClientDisconnected:
            ends.put("disconnected")

    return app


def opened(client: TestClient, target: str = "/echo") -> Wire:
    wire = raw(client)
    open_websocket(wire, target)
    return wire


def close_code(wire: Wire) -> int:
    frame = server_frame(wire)
    assert frame.opcode == CLOSE
    return int(struct.unpack("!H", frame.payload[:2])[0])


@pytest.mark.parametrize("workers", [1, 2])
def test_messages_come_back_until_the_client_closes(app: Slime, ends: queue.SimpleQueue[Any], workers: int) -> None:
    with TestClient(app, workers=workers) as client:
        with opened(client) as wire:
            for opcode, payload in ((TEXT, "grüße".encode()), (BINARY, bytes(100_000)), (TEXT, b"")):
                wire.send(client_frame(opcode, payload))
                frame = server_frame(wire)
                assert (frame.opcode, frame.payload) == (opcode, payload)
            wire.send(client_frame(TEXT, b"in ", fin=False) + client_frame(0, b"pieces"))
            assert server_frame(wire).payload == b"in pieces"
            wire.send(client_frame(PING, b"?"))
            assert server_frame(wire).opcode == PONG
            wire.send(client_frame(CLOSE, struct.pack("!H", 1000)))
            assert close_code(wire) == 1000
            assert wire.is_closed_by_server()
        assert ends.get(timeout=15) == 1000


@pytest.mark.parametrize(("word", "code"), [(b"bye", 1000), (b"fail", 1011)])
def test_the_end_of_the_handler_closes_the_connection(app: Slime, word: bytes, code: int) -> None:
    with TestClient(app) as client, opened(client) as wire:
        wire.send(client_frame(TEXT, word))
        assert close_code(wire) == code
        assert wire.is_closed_by_server()


def test_a_client_that_leaves_ends_the_loop(app: Slime, ends: queue.SimpleQueue[Any]) -> None:
    with TestClient(app) as client:
        opened(client).socket.close()
        assert ends.get(timeout=15) == 1006
        with opened(client, "/flood") as wire:
            assert server_frame(wire).opcode == BINARY
        assert ends.get(timeout=15) == "disconnected"


def test_the_server_says_goodbye_when_it_stops(app: Slime) -> None:
    with TestClient(app, shutdown_grace=30) as client:
        wire = opened(client)
        # The handler is in its loop when this comes back.
        wire.send(client_frame(TEXT, b"there?"))
        assert server_frame(wire).payload == b"there?"
    with wire:
        assert close_code(wire) == 1001


def test_middleware_guards_the_loop(ends: queue.SimpleQueue[Any]) -> None:
    class Guard(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: Any) -> Any:
            return None if req.header.get("authorization") else resp.plain("who are you?", status=401)

    app = Slime(__file__)

    @app.socket_loop("/echo", plugin=[Guard()])
    async def echo(req: SlimeRequest, socket: Any) -> None:
        ends.put("called")

    with TestClient(app) as client, raw(client) as wire:
        wire.request(
            "GET", "/echo", headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
        )
        assert wire.answer().status == 401
    assert ends.empty()


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_what_is_no_websocket_is_told_so(app: Slime, version: str, tmp_path: Path) -> None:
    with TestClient(app, https=SlimeTls(*self_signed(tmp_path))) as client:
        if version == "1.1":
            assert client.get("/echo").status_code == 426
        else:
            with Http2.tls("127.0.0.1", client.port) as connection:
                assert connection.ask("GET", "/echo").status == 426
