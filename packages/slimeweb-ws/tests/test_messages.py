"""Messages and callbacks."""

from __future__ import annotations

import asyncio
import inspect
import queue
import struct
import threading
import zlib

import pytest

from slimeweb import Slime, hookimpl
from slimeweb.errors import InvalidHandler
from slimeweb_ws import ProtocolError

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture
def echo(app, serve):
    """The example of the README, and its like."""

    @app.websocket(path="/chat", method="GET")
    def chatty(req, resp):
        def read_me(msg):
            if not resp.is_closed():
                resp.send(msg)

        resp.on_message(read_me)

    @app.websocket(path="/async", body_size=1000)
    async def async_chatty(req, resp):
        async def read_me(msg):
            await asyncio.sleep(0)
            await resp.send(msg)

        resp.on_message(read_me)

    return serve(app)


@pytest.mark.parametrize("path", ["/chat", "/async"])
def test_echo(echo, path):
    client = echo.connect(path)
    for message in ("hello", "é☾", "", b"", b"\x00\xff" * 400):
        client.send(message)
        assert client.message() == message


@pytest.mark.parametrize("path", ["/chat", "/async"])
def test_order_is_kept(echo, path):
    client = echo.connect(path)
    sender = threading.Thread(target=lambda: [client.send(str(number)) for number in range(2000)])
    sender.start()
    assert [client.message() for _ in range(2000)] == [str(number) for number in range(2000)]
    sender.join()


def test_fragments_with_a_ping_between(echo):
    client = echo.connect("/chat")
    client.frame(TEXT, b"\xc3", fin=False)
    client.frame(PING, b"p")
    client.frame(0, b"\xa9", fin=True)
    assert client.read()[2:] == (PONG, b"p")
    assert client.message() == "é"


def test_one_byte_at_a_time(echo, make_frame):
    client = echo.connect("/chat")
    for byte in make_frame(TEXT, "grüße".encode()):
        client.raw(bytes([byte]))
    assert client.message() == "grüße"


def test_a_large_message(echo):
    client = echo.connect("/chat")
    message = bytes(range(256)) * 20_000
    threading.Thread(target=client.send, args=(message,)).start()
    assert client.message() == message


def test_what_can_be_sent(app, serve):
    @app.websocket(path="/")
    def everything(req, resp):
        resp.send({"a": [1, None]})
        resp.send(bytearray(b"x"))
        resp.send_text(12)
        resp.send_bytes("é")
        resp.send_json("text")
        with pytest.raises(TypeError):
            resp.send(object())
        resp.send("last")

    client = serve(app).connect("/")
    assert [client.message() for _ in range(6)] == ['{"a":[1,null]}', b"x", "12", "é".encode(), '"text"', "last"]


def test_on_open_and_sync_callbacks_beside_async_ones(app, serve):
    calls: queue.Queue[object] = queue.Queue()

    @app.websocket(path="/")
    def mixed(req, resp):
        @resp.on_open
        async def opened():
            calls.put(("open", threading.current_thread().name.startswith("slime-loop")))

        @resp.on_message
        def message(text):
            calls.put((text, not threading.current_thread().name.startswith("slime-loop")))
            if text == "raise":
                raise LookupError(text)

        @resp.on_error
        async def error(exc):
            calls.put((type(exc), threading.current_thread().name.startswith("slime-loop")))

        @resp.on_close
        async def closed():
            calls.put(("close", resp.close_code))

    client = serve(app).connect("/")
    for text in ("a", "raise", "b"):
        client.send(text)
    client.frame(CLOSE, (4001).to_bytes(2, "big"))
    assert client.closed().close_code == 4001
    seen = [calls.get(timeout=10) for _ in range(6)]
    assert seen == [("open", True), ("a", True), ("raise", True), (LookupError, True), ("b", True), ("close", 4001)]


@pytest.mark.parametrize("is_async", [False, True])
def test_callbacks_of_one_connection_never_overlap_and_others_go_on(app, serve, is_async):
    gate, inside, most = threading.Event(), [], []

    @app.websocket(path="/slow")
    def slow(req, resp):
        def work(message):
            inside.append(message)
            most.append(len(inside))
            if message == "wait":
                gate.wait(10)
            inside.remove(message)
            resp.send(message)

        async def async_work(message):
            inside.append(message)
            most.append(len(inside))
            while message == "wait" and not gate.is_set():
                await asyncio.sleep(0.001)
            inside.remove(message)
            await resp.send(message)

        resp.on_message(async_work if is_async else work)

    @app.websocket(path="/fast")
    def fast(req, resp):
        resp.on_message(resp.send)

    served = serve(app)
    client, other = served.connect("/slow"), served.connect("/fast")
    for message in ("wait", "b", "c"):
        client.send(message)
    for number in range(50):
        other.send(str(number))
        assert other.message() == str(number)
    client.frame(PING, b"still there?")
    assert client.read().opcode == PONG, "control frames do not wait for callbacks"
    gate.set()
    assert [client.message() for _ in range(3)] == ["wait", "b", "c"]
    assert max(most) == 1


def test_a_message_above_the_limit(echo):
    client = echo.connect("/async")
    client.send(b"x" * 1000)
    assert len(client.message()) == 1000
    client.frame(BINARY, b"x" * 1000, fin=False)
    client.frame(0, b"x")
    assert client.closed().close_code == 1009


def test_a_decompressed_message_above_the_limit(echo):
    client = echo.connect("/async", Sec_WebSocket_Extensions="permessage-deflate")
    squeeze = zlib.compressobj(wbits=-15)
    bomb = squeeze.compress(bytes(10_000_000)) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    client.frame(BINARY, bomb[:-4], rsv=4)
    assert client.closed().close_code == 1009


def test_compression_both_ways(echo):
    client = echo.connect("/chat", Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert client.headers["sec-websocket-extensions"].startswith("permessage-deflate")
    for text in ("short", "long " * 1000):
        squeeze = zlib.compressobj(wbits=-15)
        client.frame(TEXT, (squeeze.compress(text.encode()) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4], rsv=4)
        answer = client.read()
        assert bool(answer.rsv & 4) is (len(text) > 1024)
        body = answer.payload
        if answer.rsv:
            assert len(body) < len(text) / 10
            body = zlib.decompressobj(wbits=-15).decompress(body + b"\x00\x00\xff\xff")
        assert body.decode() == text


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x81\x01a", 1002),
        (b"\x83\x80....", 1002),
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
        (b"\xc1\x81\x00\x00\x00\x00a", 1002),
    ],
)
def test_a_breach_reaches_on_error_and_closes(app, serve, wire, code):
    errors: queue.Queue[Exception] = queue.Queue()

    @app.websocket(path="/")
    def strict(req, resp):
        resp.on_error(errors.put)

    client = serve(app).connect("/")
    client.raw(wire)
    assert client.closed().close_code == code
    error = errors.get(timeout=10)
    assert isinstance(error, ProtocolError)
    assert error.code == code


def test_what_came_before_a_breach_is_answered(echo, make_frame):
    client = echo.connect("/chat")
    client.raw(b"".join(make_frame(TEXT, str(number).encode()) for number in range(50)) + b"\xff\xff")
    assert [client.message() for _ in range(50)] == [str(number) for number in range(50)]
    assert client.closed().close_code == 1002


def test_an_exception_without_on_error_is_logged_and_closes_with_1011(app, serve, caplog):
    @app.websocket(path="/")
    def broken(req, resp):
        def fail(message):
            raise ValueError("secret")

        resp.on_message(fail)

    client = serve(app).connect("/")
    client.send("x")
    closed = client.closed()
    assert closed.close_code == 1011
    assert b"secret" not in closed.payload
    assert "secret" in caplog.text
    assert "GET /" in caplog.text


def test_on_error_keeps_the_connection_and_an_on_error_that_fails_does_not(app, serve):
    @app.websocket(path="/")
    def broken(req, resp):
        def fail(message):
            raise ValueError(message)

        def heard(error):
            if str(error) == "fatal":
                raise RuntimeError
            resp.send(str(error))

        resp.on_message(fail)
        resp.on_error(heard)

    client = serve(app).connect("/")
    client.send("one")
    assert client.message() == "one"
    client.send("fatal")
    assert client.closed().close_code == 1011


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("failing", ["open", "message", "close"])
def test_plugins_are_shown_what_a_callback_raises(serve, failing, is_async, answered):
    seen: queue.Queue[tuple[str, str, str]] = queue.Queue()

    class Observer:
        @hookimpl
        def slime_exception(self, req, exc, where):
            seen.put((where, req.path, repr(exc)))

    app = Slime(__file__, plugins=[Observer()])

    @app.websocket(path="/")
    def broken(req, resp):
        def fail(*arguments):
            raise ValueError(failing)

        async def fail_async(*arguments):
            raise ValueError(failing)

        getattr(resp, f"on_{failing}")(fail_async if is_async else fail)
        if answered:
            resp.on_error(lambda error: None)

    client = serve(app).connect("/")
    client.send("x")
    client.frame(CLOSE, struct.pack(">H", 1000))
    assert seen.get(timeout=10) == ("websocket", "/", f"ValueError('{failing}')")
    client.at_end()
    assert seen.empty()


def test_callbacks_are_checked_when_they_are_registered(app, serve):
    @app.websocket(path="/")
    def wrong(req, resp):
        for register, function in (
            (resp.on_message, lambda: None),
            (resp.on_close, lambda code: None),
            (resp.on_error, "text"),
        ):
            with pytest.raises(InvalidHandler, match=r"resp\.on_"):
                register(function)
        resp.send("checked")

    assert serve(app).connect("/").message() == "checked"


def test_functions_that_are_made_for_each_connection_are_looked_at_once(app, serve, monkeypatch):
    looked_at = []
    signature = inspect.signature

    def counted(function, **options):
        looked_at.append(function.__qualname__)
        return signature(function, **options)

    @app.websocket(path="/")
    def route(req, resp):
        def on_message(message, times=1):
            resp.send(message * times)

        resp.on_message(on_message)
        with pytest.raises(InvalidHandler):
            resp.on_close(lambda code: None)

    served = serve(app)
    monkeypatch.setattr(inspect, "signature", counted)
    for _ in range(5):
        client = served.connect()
        client.send("hello")
        assert client.message() == "hello"
    name = "test_functions_that_are_made_for_each_connection_are_looked_at_once.<locals>.route.<locals>"
    assert looked_at.count(f"{name}.on_message") == 1
    # What is refused is not remembered.
    assert looked_at.count(f"{name}.<lambda>") == 5
