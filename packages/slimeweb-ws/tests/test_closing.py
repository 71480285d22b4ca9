"""How connections end."""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import socket
import struct
import threading
import time

import pytest

from slimeweb import ClientDisconnected, Slime, hookimpl
from slimeweb.testing import TestClient

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture
def ends() -> queue.Queue[tuple[int | None, str]]:
    return queue.Queue()


@pytest.fixture(params=["sync", "async"])
def served(app, serve, ends, request):
    is_async = request.param == "async"

    @app.websocket(path="/", close_timeout=0.2)
    def route(req, resp):
        def order(message):
            command, _, rest = message.partition(" ")
            if command == "close":
                assert resp.close(int(rest or 1000), "as you wish")
                assert not resp.close()
                with pytest.raises(ClientDisconnected):
                    resp.send("more")
            else:
                resp.send(message)

        async def async_order(message):
            order(message)

        def ended():
            assert resp.is_closed()
            ends.put((resp.close_code, resp.close_reason))

        async def async_ended():
            ended()

        resp.on_message(async_order if is_async else order)
        resp.on_close(async_ended if is_async else ended)

    return serve(app)


def ended_once(ends):
    end = ends.get(timeout=10)
    with pytest.raises(queue.Empty):
        ends.get(timeout=0.05)
    return end


def test_the_client_closes(served, ends):
    client = served.connect()
    client.frame(CLOSE, (3000).to_bytes(2, "big") + "bye ☾".encode())
    assert client.closed().close_code == 3000
    assert ended_once(ends) == (3000, "bye ☾")


def test_the_client_closes_without_a_code(served, ends):
    client = served.connect()
    client.frame(CLOSE)
    assert client.closed().payload == b""
    assert ended_once(ends) == (1005, "")


def test_the_client_goes_without_a_word(served, ends):
    client = served.connect()
    client.send("hello")
    assert client.message() == "hello"
    client.abort()
    assert ended_once(ends) == (1006, "")


@pytest.mark.parametrize("is_async", [False, True])
def test_messages_that_came_before_the_loss_are_delivered(app, serve, ends, is_async):
    seen = []

    @app.websocket(path="/")
    def route(req, resp):
        async def async_seen(message):
            seen.append(message)

        resp.on_message(async_seen if is_async else seen.append)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    for number in range(1000):
        client.send(str(number))
    client.socket.shutdown(1)
    assert ended_once(ends) == (1006, "")
    assert seen == [str(number) for number in range(1000)]


def test_the_server_closes(served, ends):
    client = served.connect()
    client.send("first")
    client.send("close 4002")
    assert client.message() == "first"
    closed = client.closed()
    assert (closed.close_code, closed.payload[2:]) == (4002, b"as you wish")
    assert ended_once(ends)[0] == 4002


def test_a_client_that_does_not_answer_the_close_is_cut_off(served, ends):
    client = served.connect()
    client.send("close")
    assert client.read().close_code == 1000
    client.at_end()
    assert ended_once(ends) == (1000, "as you wish")


def test_a_close_in_the_handler(app, serve):
    @app.websocket(path="/")
    def brief(req, resp):
        resp.send("hello and goodbye")
        resp.close(4000)

    client = serve(app).connect()
    assert client.message() == "hello and goodbye"
    assert client.closed().close_code == 4000


def test_what_must_not_be_sent(app, serve):
    @app.websocket(path="/")
    def wrong(req, resp):
        for code, reason in ((1005, ""), (999, ""), (1000, "x" * 124)):
            with pytest.raises(ValueError):
                resp.close(code, reason)
        with pytest.raises(ValueError, match="125"):
            resp.ping(bytes(126))
        resp.send("checked")

    assert serve(app).connect().message() == "checked"


def test_a_server_that_stops_says_goodbye_and_waits_for_the_answer(app, ends, connect_to):
    @app.websocket(path="/")
    def route(req, resp):
        resp.on_message(resp.send)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    with TestClient(app) as http:
        client = connect_to(http.port)
        client.send("x")
        assert client.message() == "x"
        seen: queue.Queue[int] = queue.Queue()
        reader = threading.Thread(target=lambda: seen.put(client.closed().close_code))
        reader.start()
    assert seen.get(timeout=10) == 1001
    reader.join()
    assert ended_once(ends) == (1001, "")


def test_silence_is_pinged_and_then_cut_off(app, serve, ends):
    @app.websocket(path="/", ping_interval=0.05, ping_timeout=0.5)
    def route(req, resp):
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    for _ in range(3):
        assert client.read() == (True, 0, PING, b"")
        client.frame(PONG)
    assert client.read().opcode == PING
    client.at_end()
    assert ended_once(ends) == (1006, "")


def test_an_idle_connection_is_closed(app, serve, ends):
    @app.websocket(path="/", idle_timeout=0.2)
    def route(req, resp):
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    client.frame(PING)
    closed = client.closed()
    assert (closed.close_code, closed.payload[2:]) == (1001, b"idle")
    assert ended_once(ends)[0] == 1001


def test_a_busy_callback_is_not_taken_for_a_silent_client(app, serve):
    gate = threading.Event()

    @app.websocket(path="/", ping_interval=0.1, ping_timeout=0.3)
    def route(req, resp):
        def work(message):
            gate.wait(10)
            resp.send(message)

        resp.on_message(work)

    client = serve(app).connect()
    # So much that the server stops reading: the pongs behind it cannot be seen.
    sender = threading.Thread(target=lambda: [client.send(b"x" * 10_000) for _ in range(500)])
    sender.start()
    threading.Timer(0.5, gate.set).start()
    assert [len(client.message()) for _ in range(500)] == [10_000] * 500
    sender.join()


@pytest.mark.parametrize("close_is_async", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_client_that_leaves_before_the_connection_is_open_ends_it_once(
    app, serve, until, make_handshake, is_async, close_is_async
):
    asked, go_on, closes = threading.Event(), threading.Event(), []

    def register(resp):
        assert app.room("all").join(resp)
        if close_is_async:

            @resp.on_close
            async def on_close():
                closes.append(resp.close_code)
        else:
            resp.on_close(lambda: closes.append(resp.close_code))

    if is_async:

        @app.websocket(path="/")
        async def route(req, resp):
            register(resp)
            asked.set()
            assert await asyncio.to_thread(go_on.wait, 10)
    else:

        @app.websocket(path="/", blocking=True)
        def route(req, resp):
            register(resp)
            asked.set()
            assert go_on.wait(10)

    served = serve(app)
    with socket.create_connection(("127.0.0.1", served.http.port), timeout=10) as leaving:
        leaving.sendall(make_handshake("/"))
        assert asked.wait(10)
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    go_on.set()
    until(lambda: closes)
    assert len(app.room("all")) == 0
    # It holds up nobody, and is not told of twice.
    assert app.room("all").broadcast("x" * (1 << 20), policy="block", queue_size=1) == 0
    assert closes == [1006]


@pytest.mark.parametrize("end", ["close", "abort", "stop"])
def test_the_access_log_has_one_line_at_the_end(app, connect_to, end, caplog):
    caplog.set_level(logging.INFO, "slimeweb.access")
    lines: queue.Queue[str] = queue.Queue()
    handler = logging.Handler()
    handler.emit = lambda record: lines.put(record.getMessage())
    logging.getLogger("slimeweb.access").addHandler(handler)

    @app.websocket(path="/")
    def route(req, resp):
        resp.on_message(resp.send)

    @app.route(path="/other")
    def other(req, resp):
        return "other"

    try:
        with TestClient(app, access_log=True) as http:
            client = connect_to(http.port)
            client.send("hello")
            assert client.message() == "hello"
            http.get("/other")
            assert " GET /other 200 5B " in lines.get(timeout=10)
            assert lines.empty()
            if end == "close":
                client.frame(CLOSE, struct.pack(">H", 1000))
                client.at_end()
            elif end == "abort":
                client.abort()
            if end != "stop":
                line = lines.get(timeout=10)
        if end == "stop":
            line = lines.get(timeout=10)
        # A frame's head and "hello", and a close frame where one was sent.
        size = {"close": 7 + 4, "abort": 7}.get(end, r"\d+")
        assert re.search(rf" GET / 101 {size}B [\d.]+ms$", line)
        assert lines.empty()
    finally:
        logging.getLogger("slimeweb.access").removeHandler(handler)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("end", ["close", "abort", "stop", "failure", "refusal"])
def test_plugins_are_told_of_the_end(connect_to, end, is_async):
    told: queue.Queue[tuple[str, int, bool, str | None]] = queue.Queue()

    class Observer:
        @hookimpl
        def slime_response_sent(self, route, status, sent, error):
            told.put((route, status, sent > 0, error))

    app = Slime(__file__, plugins=[Observer()])

    def register(resp):
        def fail(message):
            raise ValueError(message)

        if end == "refusal":
            resp.plain("no", status=403)
        else:
            resp.on_open(lambda: resp.send("welcome"))
            resp.on_message(fail)

    if is_async:

        @app.websocket(path="/")
        async def route(req, resp):
            register(resp)
    else:

        @app.websocket(path="/")
        def route(req, resp):
            register(resp)

    with TestClient(app) as http:
        client = connect_to(http.port)
        if end == "refusal":
            assert client.status == 403
        else:
            assert client.message() == "welcome"
            assert told.empty()
        if end == "close":
            client.frame(CLOSE, struct.pack(">H", 1000))
            client.at_end()
        elif end == "abort":
            client.abort()
        elif end == "failure":
            client.send("x")
            assert client.closed().close_code == 1011
            client.frame(CLOSE, struct.pack(">H", 1011))
        elif end == "stop":
            app.shutdown()
            assert client.closed().close_code == 1001
            client.frame(CLOSE, struct.pack(">H", 1001))
        line = told.get(timeout=10)
    assert line == ("/", 403 if end == "refusal" else 101, True, "client left" if end == "abort" else None)
    assert told.empty()


@pytest.mark.parametrize("half_closes", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_came_before_the_clients_close_is_answered_before_it(app, serve, ends, monkeypatch, is_async, half_closes):
    """Though the close frame is here before the callbacks have begun with the first message."""
    monkeypatch.setattr("slimeweb_ws.session._LAST_REPLIES", 10)
    begin = threading.Event()

    @app.websocket(path="/")
    def route(req, resp):
        def answer(message):
            begin.wait(10)
            resp.send(message.upper())

        async def async_answer(message):
            await asyncio.to_thread(begin.wait, 10)
            await resp.send(message.upper())

        resp.on_message(async_answer if is_async else answer)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    for message in ("one", "two", "three"):
        client.send(message)
    client.frame(CLOSE, (3000).to_bytes(2, "big"))
    if half_closes:
        client.socket.shutdown(socket.SHUT_WR)
    begin.set()
    assert [client.message() for _ in range(3)] == ["ONE", "TWO", "THREE"]
    assert client.closed().close_code == 3000
    assert ended_once(ends) == (3000, "")


def test_more_answers_than_one_callback_has_time_for_come_before_the_close(app, serve, ends, monkeypatch):
    monkeypatch.setattr("slimeweb_ws.session._LAST_REPLIES", 0.4)

    @app.websocket(path="/")
    def route(req, resp):
        async def answer(message):
            await asyncio.sleep(0.2)
            await resp.send(message)

        resp.on_message(answer)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    messages = [str(number) for number in range(5)]
    for message in messages:
        client.send(message)
    client.frame(CLOSE, (3000).to_bytes(2, "big"))
    assert [client.message() for _ in messages] == messages
    assert client.closed().close_code == 3000
    assert ended_once(ends) == (3000, "")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_callback_that_goes_on_after_the_clients_close_is_told_soon(app, serve, ends, is_async):
    @app.websocket(path="/")
    def route(req, resp):
        def talk(message):
            while not resp.is_closed():
                resp.send("tick")
                time.sleep(0.01)

        async def async_talk(message):
            while not resp.is_closed():
                await resp.send("tick")
                await asyncio.sleep(0.01)

        resp.on_message(async_talk if is_async else talk)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    client.send("go on")
    assert client.message() == "tick"
    client.frame(CLOSE, (1000).to_bytes(2, "big"))
    while (frame := client.read()).opcode != CLOSE:
        assert frame.payload == b"tick"
    assert frame.close_code == 1000
    assert ended_once(ends) == (1000, "")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_callback_that_never_ends_does_not_keep_a_client_that_closes(app, serve, ends, is_async):
    gate = threading.Event()

    @app.websocket(path="/")
    def route(req, resp):
        def wait(message):
            gate.wait(30)

        async def async_wait(message):
            await asyncio.to_thread(gate.wait, 30)

        resp.on_message(async_wait if is_async else wait)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    try:
        for _ in range(3):
            client.send("wait")
        client.frame(CLOSE, (3000).to_bytes(2, "big"))
        assert client.closed().close_code == 3000
        assert ends.empty(), "callbacks of one connection do not overlap"
    finally:
        gate.set()
    assert ended_once(ends) == (3000, "")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_client_that_closes_and_never_reads_is_cut_after_the_send_timeout(app, serve, ends, is_async):
    raised: queue.Queue[BaseException] = queue.Queue()

    @app.websocket(path="/", send_buffer=200_000, close_timeout=60)
    def route(req, resp):
        def flood(message):
            try:
                while True:
                    resp.send(bytes(100_000))
            except ClientDisconnected as error:
                raised.put(error)

        async def async_flood(message):
            try:
                while True:
                    await resp.send(bytes(100_000))
            except ClientDisconnected as error:
                raised.put(error)

        resp.on_message(async_flood if is_async else flood)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app, send_timeout=0.5).connect()
    client.send("go")
    client.frame(CLOSE, (3000).to_bytes(2, "big"))
    assert ended_once(ends) == (3000, "")
    assert raised.qsize() == 1


def test_a_client_that_has_closed_is_not_pinged_while_callbacks_answer(app, serve, ends, monkeypatch, make_frame):
    monkeypatch.setattr("slimeweb_ws.session._LAST_REPLIES", 10)
    gate = threading.Event()

    @app.websocket(path="/", ping_interval=0.05, ping_timeout=0.05)
    def route(req, resp):
        def answer(message):
            gate.wait(10)
            resp.send(message)

        resp.on_message(answer)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    client.raw(make_frame(TEXT, b"hello") + make_frame(CLOSE, (3000).to_bytes(2, "big")))
    threading.Timer(0.5, gate.set).start()
    received = [client.read()]
    while received[-1].opcode != CLOSE:
        received.append(client.read())
    assert [one.payload for one in received if one.opcode == TEXT] == [b"hello"]
    assert received[-1].close_code == 3000
    assert ended_once(ends) == (3000, "")


@pytest.mark.parametrize("half_closes", [False, True])
@pytest.mark.parametrize("closes", [False, True])
def test_a_close_behind_more_messages_than_are_decoded_ahead_waits_for_all_answers(
    app, serve, ends, make_frame, closes, half_closes
):
    begin = threading.Event()

    @app.websocket(path="/")
    def route(req, resp):
        def answer(message):
            begin.wait(10)
            resp.send(message)

        resp.on_message(answer)
        resp.on_close(lambda: ends.put((resp.close_code, resp.close_reason)))

    client = serve(app).connect()
    messages = [str(number) for number in range(1000)]
    client.raw(b"".join(make_frame(TEXT, message.encode()) for message in messages))
    if closes:
        client.frame(CLOSE, (3000).to_bytes(2, "big"))
    if half_closes:
        client.socket.shutdown(socket.SHUT_WR)
    begin.set()
    if closes:
        assert [client.message() for _ in messages] == messages
        assert client.closed().close_code == 3000
        assert ended_once(ends) == (3000, "")
    else:
        # The last of them may be cut off: without a close frame this is no orderly end.
        assert client.message() == "0"
        client.close()
        assert ended_once(ends) == (1006, "")


@pytest.mark.parametrize(("close_timeout", "grace"), [(0.5, 60), (60, 0.5)])
@pytest.mark.parametrize("loops", [False, True])
def test_clients_that_ignore_the_1001_hold_up_a_stop_no_longer_than_close_timeout_and_grace(
    app, connect_to, close_timeout, grace, loops
):
    def callbacks(req, resp):
        resp.on_message(resp.send)

    async def loop(req, resp):
        await resp.accept()
        async for message in resp:
            await resp.send(message)

    app.websocket(path="/", close_timeout=close_timeout)(loop if loops else callbacks)
    with TestClient(app, shutdown_grace=grace) as client:
        clients = [connect_to(client.port) for _ in range(150)]
        for each in clients:
            each.send("here")
            assert each.message() == "here"
        began = time.monotonic()
    assert time.monotonic() - began < 20
    for each in clients:
        assert each.read().close_code == 1001
        each.at_end()
