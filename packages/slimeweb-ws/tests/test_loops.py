"""Handlers that accept the connection and take its messages in a loop."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import struct
import threading
import zlib

import pytest

from slimeweb import ClientDisconnected, Slime, SlimeMiddleware, hookimpl
from slimeweb_ws import ConnectionClosed

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture
def ends() -> queue.Queue:
    return queue.Queue()


@pytest.fixture
def echo(app, serve, ends):
    """An echo, that says how its loop ended."""

    @app.websocket(path="/", close_timeout=0.5, max_message_size=1 << 20)
    async def route(req, resp):
        resp.set_header("X-Before", "yes")
        await resp.accept()
        assert not resp.is_closed()
        async for message in resp:
            await resp.send(message)
        ends.put((resp.close_code, resp.is_closed()))

    return serve(app)


def test_messages_are_received_in_order_and_the_head_is_the_handlers(echo):
    client = echo.connect()
    assert (client.status, client.headers["x-before"]) == (101, "yes")
    messages = ["ä", b"\0\xff", "", "x" * 70_000, *map(str, range(300))]
    for message in messages:
        client.send(message)
    assert [client.message() for _ in messages] == messages


def test_fragments_pings_and_compression(echo):
    client = echo.connect(Sec_WebSocket_Extensions="permessage-deflate; client_no_context_takeover")
    client.frame(TEXT, b"one ", fin=False)
    client.frame(PING, b"p")
    client.frame(0, b"two")
    assert client.read()[2:] == (PONG, b"p")
    assert client.message() == "one two"
    deflate = zlib.compressobj(wbits=-15)
    client.frame(TEXT, (deflate.compress(b"small") + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4], rsv=4)
    assert client.message() == "small"


def test_the_loop_ends_when_the_client_closes(echo, ends):
    client = echo.connect()
    client.send("last")
    client.frame(CLOSE, struct.pack(">H", 4000) + b"bye")
    assert client.message() == "last"
    assert client.read().close_code == 4000
    client.at_end()
    assert ends.get(timeout=10) == (4000, True)


def test_the_loop_ends_when_the_client_goes_without_a_word(echo, ends):
    client = echo.connect()
    client.abort()
    assert ends.get(timeout=10) == (1006, True)


def test_the_loop_ends_behind_a_breach_of_the_protocol(echo, ends):
    client = echo.connect()
    client.send("before")
    client.frame(3, b"")
    assert client.message() == "before"
    assert client.closed().close_code == 1002
    assert ends.get(timeout=10) == (1002, True)


def test_receive_raises_with_code_and_reason_and_again(app, serve, ends):
    @app.websocket(path="/")
    async def route(req, resp):
        with pytest.raises(RuntimeError, match=r"await resp.accept\(\)"):
            await resp.receive()
        await resp.accept()
        assert await resp.receive() == "one"
        for _ in range(2):
            with pytest.raises(ConnectionClosed, match="4001, bye") as caught:
                await resp.receive()
            ends.put((caught.value.code, caught.value.reason))
        with pytest.raises(ClientDisconnected):
            await resp.send("too late")
        await resp.receive()

    client = serve(app).connect()
    client.send("one")
    client.frame(CLOSE, struct.pack(">H", 4001) + b"bye")
    assert client.read().close_code == 4001
    assert ends.get(timeout=10) == ends.get(timeout=10) == (4001, "bye")


@pytest.mark.parametrize(("raises", "code"), [(False, 1000), (True, 1011)])
def test_returning_closes_with_1000_and_raising_with_1011(serve, ends, raises, code):
    class Watch:
        @hookimpl
        def slime_exception(self, exc, where):
            ends.put((where, repr(exc)))

    app = Slime(__file__, plugins=[Watch()])

    @app.websocket(path="/")
    async def route(req, resp):
        await resp.accept()
        await resp.send("hello")
        if raises:
            raise LookupError("no")

    client = serve(app).connect()
    client.send("never received")
    assert client.message() == "hello"
    assert client.closed().close_code == code
    if raises:
        assert ends.get(timeout=10) == ("websocket", "LookupError('no')")
    assert ends.empty()


def test_middleware_sees_the_end_of_the_loop(app, serve, ends):
    class Around(SlimeMiddleware):
        def middle_before(self, req, resp):
            ends.put("before")

        def middle_after(self, req, resp):
            ends.put("after")

    @app.websocket(path="/", plugin=[Around()])
    async def route(req, resp):
        await resp.accept()
        async for _message in resp:
            ends.put("message")

    client = serve(app).connect()
    client.send("x")
    client.frame(CLOSE, struct.pack(">H", 1000))
    assert [ends.get(timeout=10) for _ in range(3)] == ["before", "message", "after"]


def test_the_handler_may_close_and_the_loop_ends(app, serve, ends):
    @app.websocket(path="/")
    async def route(req, resp):
        await resp.accept()
        async for message in resp:
            assert resp.close(4002, message)
        ends.put((resp.close_code, resp.close_reason))

    client = serve(app).connect()
    client.send("enough")
    received = client.closed()
    assert (received.close_code, received.payload[2:]) == (4002, b"enough")
    assert ends.get(timeout=10)[0] == 4002


def test_a_handler_that_does_not_receive_stops_its_client(app, serve, ends, make_frame):
    go_on, total = threading.Event(), 64 * 1024 * 1024

    @app.websocket(path="/", ping_interval=None)
    async def route(req, resp):
        await resp.accept()
        assert await resp.receive() == "go"
        await asyncio.to_thread(go_on.wait, 20)
        received = 0
        while received < total:
            received += len(await resp.receive())
        await resp.send(str(received))

    client = serve(app).connect()
    client.send("go")
    client.socket.settimeout(1.0)
    data, sent, left = make_frame(BINARY, b"x" * 65536) * 16, 0, memoryview(b"")
    with contextlib.suppress(TimeoutError):
        while sent < total:
            left = left or memoryview(data)
            count = client.socket.send(left)
            sent, left = sent + count, left[count:]
    assert sent < total / 2
    client.socket.settimeout(20)
    go_on.set()
    client.raw(bytes(left))
    for _ in range(total // (1 << 20) - (sent + len(left)) // len(data)):
        client.raw(data)
    assert client.message() == str(total)


def test_rooms_have_accepted_connections(app, serve):
    @app.websocket(path="/")
    async def route(req, resp):
        room = app.room("all")
        await resp.accept()
        room.join(resp)
        async for message in resp:
            await room.broadcast(message)

    served = serve(app, workers=2)
    clients = [served.connect() for _ in range(4)]
    for number, client in enumerate(clients):
        # Its echo says that it has joined.
        client.send(f"hello {number}")
        while client.message() != f"hello {number}":
            pass
    clients[0].send("to all")
    for client in clients:
        while client.message() != "to all":
            pass


def test_a_server_that_stops_closes_with_1001_and_the_handler_goes_on_to_its_end(app, serve, connect_to, ends):
    from slimeweb.testing import TestClient

    @app.websocket(path="/")
    async def route(req, resp):
        await resp.accept()
        await resp.send("open")
        try:
            async for _message in resp:
                pass
        finally:
            await asyncio.sleep(0.01)
            ends.put(resp.close_code)

    with TestClient(app, shutdown_grace=20) as http:
        client = connect_to(http.port)
        assert client.message() == "open"
        thread = threading.Thread(target=lambda: ends.put(client.closed().close_code))
        thread.start()
    thread.join()
    assert [ends.get(timeout=1), ends.get(timeout=1)] == [1001, 1001]


def test_one_task_receives_at_a_time_and_a_cancelled_one_loses_nothing(app, serve):
    @app.websocket(path="/")
    async def route(req, resp):
        await resp.accept()
        first = asyncio.ensure_future(resp.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await resp.receive()
        first.cancel()
        await asyncio.wait([first])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await resp.receive()
        await resp.send("ready")
        await resp.send(await resp.receive())

    client = serve(app).connect()
    assert client.message() == "ready"
    client.send("kept")
    assert client.message() == "kept"


def test_a_task_that_still_receives_when_the_handler_returns_is_told(app, serve, ends):
    @app.websocket(path="/")
    async def route(req, resp):
        await resp.accept()
        receiving = asyncio.ensure_future(resp.receive())
        receiving.add_done_callback(lambda done: ends.put(type(done.exception()).__name__))
        await asyncio.sleep(0)

    assert serve(app).connect().closed().close_code == 1000
    assert ends.get(timeout=10) == "ConnectionClosed"


@pytest.mark.parametrize("is_async", [False, True])
def test_loops_and_callbacks_do_not_mix_and_plain_handlers_are_told(app, serve, ends, is_async):
    async def asynchronous(req, resp):
        resp.on_message(lambda message: None)
        with pytest.raises(RuntimeError, match="do not go together"):
            resp.accept()
        ends.put("told")
        return resp.plain("no", status=403)

    def plain(req, resp):
        with pytest.raises(RuntimeError, match="async def"):
            resp.accept()
        ends.put("told")
        return resp.plain("no", status=403)

    app.websocket(path="/")(asynchronous if is_async else plain)
    assert serve(app).connect().status == 403
    assert ends.get(timeout=10) == "told"


def test_after_accept_there_are_no_callbacks_and_no_second_accept(app, serve):
    @app.websocket(path="/")
    async def route(req, resp):
        await resp.accept()
        with pytest.raises(RuntimeError, match="no callbacks"):
            resp.on_message(lambda message: None)
        with pytest.raises(RuntimeError, match="already"):
            await resp.accept()
        await resp.send("done")

    assert serve(app).connect().message() == "done"


def test_a_handler_that_waits_for_a_slow_client_ends_with_it(app, serve, ends):
    @app.websocket(path="/", send_buffer=65536)
    async def route(req, resp):
        await resp.accept()
        try:
            while True:
                await resp.send(b"x" * 65536)
        except ClientDisconnected as error:
            ends.put(type(error).__name__)
            raise

    client = serve(app).connect()
    client.read()
    client.abort()
    assert ends.get(timeout=10) == "ClientDisconnected"


def test_headers_of_the_switch_that_the_application_sets_as_well_are_sent_once(app, serve, make_handshake):
    @app.websocket(path="/")
    def route(req, resp):
        resp.set_header("Sec-WebSocket-Accept", "mine")
        resp.set_header("Upgrade", "other")
        resp.set_cookie("kept", "1")

    client = serve(app).connect()
    assert client.status == 101
    assert client.headers["sec-websocket-accept"] != "mine"
    assert client.headers["upgrade"] == "websocket"
    assert client.head.lower().count("sec-websocket-accept") == client.head.lower().count("upgrade: ") == 1
    assert client.headers["set-cookie"].startswith("kept=1")
