"""WebSockets of ASGI applications, with a client of the websockets library."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import OP_BINARY, OP_CLOSE, OP_CONT, OP_PING, OP_TEXT, Frame
from websockets.sync.client import ClientConnection, connect

from slimeweb import Slime
from slimeweb.testing import TestClient

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


HANDSHAKE = (
    b"GET /old/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT = b"\x81\x82" + bytes(4) + b"ok"
"""A message of a client, with a mask of zeros."""


def mounted(application: Any) -> Slime:
    async def call(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] != "lifespan"
        await application(scope, receive, send)

    app = Slime(__file__)
    app.mount("/old", asgi=call)
    return app


def websocket(client: TestClient, target: str = "/old/ws", **options: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{client.port}{target}", open_timeout=20, close_timeout=20, **options)


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def closing(connection: ClientConnection) -> tuple[int, str]:
    """Code and reason of the server's close frame."""
    with pytest.raises(ConnectionClosed) as closed:
        connection.recv(timeout=20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_the_scope_is_that_of_the_specification() -> None:
    scopes: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "b", "headers": [(b"x-a", b"1")]})
        await send({"type": "websocket.close", "code": 4001, "reason": "bye"})

    with (
        TestClient(mounted(application), workers=2) as client,
        websocket(client, "/old/ws/a%20b?q=1", subprotocols=["a", "b"]) as connection,
    ):
        assert connection.subprotocol == "b"
        assert connection.response is not None
        assert connection.response.headers["x-a"] == "1"
        assert closing(connection) == (4001, "bye")
    (scope,) = scopes
    assert (scope["type"], scope["scheme"], scope["http_version"]) == ("websocket", "ws", "1.1")
    assert (scope["root_path"], scope["path"], scope["query_string"]) == ("/old", "/old/ws/a b", b"q=1")
    assert scope["subprotocols"] == ["a", "b"]
    assert "method" not in scope


@pytest.mark.parametrize("compression", ["deflate", None])
def test_messages_come_and_go(compression: Any) -> None:
    large = "ä" * 300_000
    with (
        TestClient(mounted(echo), workers=2) as client,
        websocket(client, compression=compression, max_size=2**24) as connection,
    ):
        for message in ("", "text", b"", b"\x00\xff", large, large.encode()):
            connection.send(message)
            assert connection.recv(timeout=20) == message
        # In fragments, with a ping between them.
        connection.send(["a", "b", "c"])
        assert connection.ping().wait(20)
        assert connection.recv(timeout=20) == "abc"


def test_the_application_hears_how_the_client_has_closed() -> None:
    heard: list[dict[str, Any]] = []
    done = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.extend([await receive(), await receive()])
        with pytest.raises(OSError, match="closed"):
            await send({"type": "websocket.send", "text": "too late"})
        done.set()

    with TestClient(mounted(application)) as client:
        with websocket(client) as connection:
            connection.close(4000, "had enough")
        assert done.wait(20)
    assert heard == [{"type": "websocket.disconnect", "code": 4000, "reason": "had enough"}] * 2


def test_a_client_that_vanishes_is_1006() -> None:
    heard: list[dict[str, Any]] = []
    done = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append(await receive())
        done.set()

    with TestClient(mounted(application)) as client:
        connection = websocket(client)
        connection.socket.shutdown(socket.SHUT_RDWR)
        assert done.wait(20)
    assert heard[0]["code"] == 1006


@pytest.mark.parametrize(("case", "code"), [("return", 1000), ("raise", 1011)])
def test_the_end_of_the_application_ends_the_websocket(case: str, code: int) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if case == "raise":
            raise ValueError("on purpose")

    with TestClient(mounted(application)) as client, websocket(client) as connection:
        assert closing(connection)[0] == code


@pytest.mark.parametrize(
    ("messages", "status", "body"),
    [
        ([{"type": "websocket.close"}], 403, b"Forbidden"),
        (
            [
                {"type": "websocket.http.response.start", "status": 402, "headers": [(b"x-a", b"1")]},
                {"type": "websocket.http.response.body", "body": b"pay ", "more_body": True},
                {"type": "websocket.http.response.body", "body": b"first"},
            ],
            402,
            b"pay first",
        ),
        ([], 500, b"Internal Server Error"),
        ([{"type": "websocket.send", "text": "early"}], 500, b"Internal Server Error"),
    ],
)
def test_an_application_can_refuse(messages: list[dict[str, Any]], status: int, body: bytes) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(message)

    with TestClient(mounted(application)) as client:
        with pytest.raises(InvalidStatus) as refused:
            websocket(client)
        response = refused.value.response
        assert (response.status_code, bytes(response.body or b"")) == (status, body)
        assert response.headers.get("x-a") == ("1" if status == 402 else None)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": "websocket", "Connection": "Upgrade"}, 400),
        (
            {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"},
            400,
        ),
        (
            {
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version": "8",
            },
            400,
        ),
        ({"Upgrade": "websocket"}, 426),
    ],
)
def test_what_is_no_handshake_is_refused(headers: dict[str, str], status: int) -> None:
    with TestClient(mounted(echo)) as client:
        assert client.get("/old/ws", headers=headers).status_code == status


def test_text_that_is_not_utf_8_ends_the_websocket() -> None:
    with TestClient(mounted(echo)) as client, websocket(client, compression=None) as connection:
        connection.send(b"\xff\xfe", text=True)
        assert closing(connection)[0] == 1007


def test_a_stop_of_the_server_tells_the_client_and_the_application() -> None:
    heard: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append(await receive())

    with TestClient(mounted(application), workers=2) as client:
        connection = websocket(client)
        codes: list[int] = []
        reader = threading.Thread(target=lambda: codes.append(closing(connection)[0]))
        reader.start()
    reader.join(20)
    assert codes == [1001]
    assert [message["code"] for message in heard] == [1001]


def test_a_client_that_does_not_read_holds_up_its_own_application_alone() -> None:
    stuck = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"].endswith("flood"):
            for _ in range(200):
                sending = asyncio.ensure_future(send({"type": "websocket.send", "bytes": b"x" * 1_000_000}))
                done, _ = await asyncio.wait([sending], timeout=1)
                if not done:
                    stuck.set()
                    await sending
        else:
            message = await receive()
            await send({"type": "websocket.send", "text": message["text"]})

    with (
        TestClient(mounted(application), workers=2) as client,
        websocket(client, "/old/flood", max_queue=1, compression=None) as flooded,
    ):
        assert stuck.wait(60)
        with websocket(client, "/old/other") as other:
            other.send("still here")
            assert other.recv(timeout=20) == "still here"
        flooded.socket.shutdown(socket.SHUT_RDWR)


def test_a_client_that_does_not_take_the_answers_to_its_pings_may_not_go_on() -> None:
    ping = b"\x89\xe4" + bytes(4) + b"p" * 100
    with (
        TestClient(mounted(echo)) as client,
        websocket(client, compression=None) as opened,
        # The library reads in a thread of its own, which this does not.
        socket.create_connection(("127.0.0.1", client.port)) as connection,
    ):
        connection.settimeout(2)
        connection.sendall(HANDSHAKE)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 60_000_000:
                sent += connection.send(ping * 1000)
        # More than socket buffers and the connection's own hold.
        assert sent < 60_000_000
        opened.send("others go on")
        assert opened.recv(timeout=20) == "others go on"
        # Once they are taken, it may.
        connection.settimeout(20)
        rest = ping[sent % len(ping) :] if sent % len(ping) else b""
        sending = threading.Thread(target=connection.sendall, args=(rest + TEXT,))
        sending.start()
        received = b""
        while not received.endswith(b"\x81\x02ok"):
            received = received[-16:] + connection.recv(1 << 20)
        sending.join(20)


@pytest.mark.parametrize("opcode", [b"\x01", b"\x02"])
def test_a_message_may_come_in_frames_of_any_size_with_pings_between(opcode: bytes) -> None:
    pieces = [(opcode, b"caf\xc3"), (b"\x00", b""), (b"\x00", b"\xa9 ")]
    with (
        TestClient(mounted(echo)) as client,
        socket.create_connection(("127.0.0.1", client.port)) as connection,
    ):
        connection.settimeout(20)
        connection.sendall(HANDSHAKE)
        for first, piece in pieces:
            connection.sendall(first + bytes([0x80 | len(piece)]) + bytes(4) + piece + b"\x89\x80" + bytes(4))
        connection.sendall(b"\x80\x83" + bytes(4) + b"end" + TEXT)
        received = b""
        while not received.endswith(b"\x81\x02ok"):
            received += connection.recv(4096)
    message = "café end".encode()
    assert received.endswith(b"\x8a\x00" * 3 + bytes([0x80 | opcode[0], len(message)]) + message + b"\x81\x02ok")


@pytest.mark.parametrize("seed", range(6))
def test_messages_arrive_in_order_however_their_frames_are_cut(seed: int) -> None:
    chance = random.Random(seed)
    expected, stream = list[str | bytes](), b""
    for number in range(60):
        octets = chance.randbytes(chance.choice([0, 1, 30, 125, 126, 4000, 65535, 70_000]))
        is_text, is_cut = chance.random() < 0.5, chance.random() < 0.3
        data = f"{number} {octets.hex()}é".encode() if is_text else octets
        expected.append(data.decode() if is_text else data)
        middle = len(data) // 2 if is_cut else len(data)
        frames = [Frame(OP_TEXT if is_text else OP_BINARY, data[:middle], fin=not is_cut)]
        frames += [Frame(OP_PING, b"?"), Frame(OP_CONT, data[middle:])] if is_cut else []
        stream += b"".join(frame.serialize(mask=True) for frame in frames)
    received = list[str | bytes]()
    over = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            received.append(message["text"] if "text" in message else message["bytes"])
        over.set()

    with TestClient(mounted(application)) as client, socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.settimeout(20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        connection.sendall(HANDSHAKE)
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        stream += Frame(OP_CLOSE, b"").serialize(mask=True)
        while stream:
            count = chance.choice([1, 2, 40, 131, 5000, 100_000])
            connection.sendall(stream[:count])
            stream = stream[count:]
        assert over.wait(20)
    assert received == expected


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_messages_of_every_length_are_echoed(compression: str | None, size: int) -> None:
    with TestClient(mounted(echo)) as client, websocket(client, compression=compression) as connection:
        for message in ("x" * size, b"x" * size):
            connection.send(message)
            assert connection.recv(timeout=20) == message


def test_a_receive_that_is_cancelled_takes_no_message() -> None:
    ready = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.01)
        receiving = [asyncio.ensure_future(receive()) for _ in range(3)]
        await asyncio.sleep(0)
        receiving[0].cancel()
        ready.set()
        for each in receiving[1:]:
            await send({"type": "websocket.send", "text": (await each)["text"]})

    with TestClient(mounted(application)) as client, websocket(client, compression=None) as connection:
        assert ready.wait(20)
        for text in ("a", "b"):
            connection.send(text)
        assert {connection.recv(timeout=20) for _ in range(2)} == {"a", "b"}


def test_a_send_that_is_cancelled_leaves_the_others_waiting() -> None:
    stuck, go_on = threading.Event(), threading.Event()
    failed: list[BaseException | None] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        sending: list[asyncio.Future[None]] = []
        while not stuck.is_set():
            sending.append(asyncio.ensure_future(send({"type": "websocket.send", "bytes": b"x" * 1_000_000})))
            if not (await asyncio.wait(sending[-1:], timeout=1))[0]:
                stuck.set()
        sending.append(asyncio.ensure_future(send({"type": "websocket.send", "bytes": b"last"})))
        await asyncio.sleep(0)
        sending[-2].cancel()
        await asyncio.to_thread(go_on.wait, 60)
        await asyncio.wait(sending)
        failed.extend(each.exception() if not each.cancelled() else asyncio.CancelledError() for each in sending[-1:])

    with (
        TestClient(mounted(application)) as client,
        websocket(client, max_queue=1, compression=None) as connection,
    ):
        assert stuck.wait(60)
        go_on.set()
        while connection.recv(timeout=20) != b"last":
            pass
        assert closing(connection)[0] == 1000
    assert failed == [None]


def test_a_client_that_does_not_answer_a_close_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimeweb_asgi.websocket.CLOSE_TIMEOUT", 0.2)
    heard: list[dict[str, Any]] = []
    over = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 3001})
        heard.append(await receive())
        over.set()

    with TestClient(mounted(application)) as client, socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.settimeout(20)
        connection.sendall(HANDSHAKE)
        assert over.wait(20)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass
    assert heard == [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]


def test_an_application_that_does_not_receive_holds_up_its_client() -> None:
    go_on = threading.Event()
    received: list[int] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert await asyncio.to_thread(go_on.wait, 60)
        while (message := await receive())["type"] == "websocket.receive":
            received.append(len(message["bytes"]))

    with TestClient(mounted(application)) as client, websocket(client, compression=None) as connection:
        sent = threading.Event()

        def flood() -> None:
            for _ in range(100):
                connection.send(b"x" * 500_000)
            sent.set()

        flooding = threading.Thread(target=flood)
        flooding.start()
        # 50 MB are more than socket buffers and backlog hold.
        assert not sent.wait(2)
        go_on.set()
        assert sent.wait(60)
        flooding.join()
        connection.close()
    assert received == [500_000] * 100
