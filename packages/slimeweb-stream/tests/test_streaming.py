"""Streams over real connections."""

from __future__ import annotations

import asyncio
import http.client
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from slimeweb import ClientDisconnected, Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.errors import InvalidHandler
from slimeweb.plugin import Cors
from slimeweb.testing import TestClient


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)


@contextmanager
def get(client: TestClient, path: str, headers: dict[str, str] | None = None) -> Iterator[http.client.HTTPResponse]:
    """A response whose body is read as it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        yield connection.getresponse()
    finally:
        connection.close()


def test_the_readme_example_streams_json_numbers(app: Slime) -> None:
    @app.route(path="/stream", method="GET", stream="text/plain")
    def stream_me(req: Any, resp: Any) -> None:
        resp.start_stream()
        for i in range(5):
            resp.send(i)
        resp.close()

    with TestClient(app) as client, get(client, "/stream") as answer:
        assert answer.getheader("content-type") == "text/plain; charset=utf-8"
        assert answer.getheader("transfer-encoding") == "chunked"
        assert answer.read() == b"01234"


def test_app_stream_and_coroutines(app: Slime) -> None:
    @app.stream(path="/stream", method="GET", content="application/x-ndjson")
    async def stream_me(req: Any, resp: Any) -> None:
        resp.set_header("X-Kind", "async")
        resp.start_stream()
        for i in range(3):
            await resp.send({"i": i})
            await resp.send("\n")
            await asyncio.sleep(0)
        await resp.close()

    with TestClient(app) as client, get(client, "/stream") as answer:
        assert answer.getheader("x-kind") == "async"
        assert answer.read() == b'{"i":0}\n{"i":1}\n{"i":2}\n'


def test_pieces_arrive_while_the_handler_goes_on(app: Slime) -> None:
    seen = threading.Event()

    @app.stream(path="/")
    def stream_me(req: Any, resp: Any) -> None:
        resp.start_stream()
        resp.send("first")
        assert seen.wait(10)
        resp.send("second")

    with TestClient(app) as client, get(client, "/") as answer:
        assert answer.read(5) == b"first"
        seen.set()
        assert answer.read() == b"second"


def test_headers_after_the_start_are_an_error(app: Slime) -> None:
    caught: list[BaseException] = []

    @app.stream(path="/")
    def stream_me(req: Any, resp: Any) -> None:
        resp.start_stream()
        for late in (lambda: resp.set_header("X-Late", "1"), lambda: resp.set_status(201), resp.start_stream):
            try:
                late()
            except RuntimeError as error:
                caught.append(error)
        resp.send("done")

    with TestClient(app) as client, get(client, "/") as answer:
        assert answer.read() == b"done"
    assert len(caught) == 3


def test_a_handler_that_never_starts_answers_empty(app: Slime) -> None:
    @app.stream(path="/nothing")
    def nothing(req: Any, resp: Any) -> None:
        pass

    @app.stream(path="/teapot")
    async def teapot(req: Any, resp: Any) -> None:
        resp.set_status(418)

    with TestClient(app) as client:
        assert (client.get("/nothing").status_code, client.get("/nothing").content) == (204, b"")
        assert (client.get("/teapot").status_code, client.get("/teapot").content) == (418, b"")


@pytest.mark.parametrize("variant", ["sync", "async"])
def test_raising_before_the_start_is_a_500_and_after_it_cuts_the_connection(app: Slime, variant: str) -> None:
    seen = threading.Event()

    def begin(req: Any, resp: Any) -> None:
        if req.path == "/late":
            resp.start_stream()
            resp.send("half")
            assert seen.wait(10)
        raise ValueError("secret")

    async def begin_async(req: Any, resp: Any) -> None:
        begin(req, resp)

    for path in ("/early", "/late"):
        app.stream(path=path)(begin_async if variant == "async" else begin)

    with TestClient(app) as client:
        early = client.get("/early")
        assert early.status_code == 500
        assert "secret" not in early.text
        with get(client, "/late") as answer:
            assert answer.status == 200
            assert answer.read(4) == b"half"
            seen.set()
            with pytest.raises(http.client.IncompleteRead):
                answer.read()


def leave(client: TestClient, path: str) -> None:
    """Reads the first bytes of a stream and closes the connection in the middle of it."""
    with socket.create_connection(("127.0.0.1", client.port)) as peer:
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        assert peer.recv(1024).startswith(b"HTTP/1.1 200")


def endless(resp: Any, ended: Callable[[BaseException], None]) -> None:
    try:
        while True:
            resp.send(b"x" * 65536)
    except ClientDisconnected as error:
        ended(error)
        raise


def test_a_client_that_leaves_ends_a_thread(app: Slime) -> None:
    ended = threading.Event()

    @app.stream(path="/")
    def stream_me(req: Any, resp: Any) -> None:
        resp.start_stream()
        endless(resp, lambda error: ended.set())

    with TestClient(app) as client:
        leave(client, "/")
        assert ended.wait(1)


def test_a_client_that_leaves_cancels_a_coroutine_that_waits_for_something_else(app: Slime) -> None:
    ended = threading.Event()

    @app.stream(path="/")
    async def stream_me(req: Any, resp: Any) -> None:
        resp.start_stream()
        await resp.send("on")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()
            raise

    with TestClient(app) as client:
        leave(client, "/")
        assert ended.wait(1)


def test_a_coroutine_waits_for_a_client_that_is_behind(app: Slime) -> None:
    total = 16 * 1024 * 1024
    sent: list[int] = []

    @app.stream(path="/")
    async def stream_me(req: Any, resp: Any) -> None:
        resp.start_stream()
        piece = b"x" * 65536
        for _ in range(total // len(piece)):
            await resp.send(piece)
            sent.append(len(piece))

    with TestClient(app) as client, get(client, "/") as answer:
        assert answer.read(1) == b"x"
        # What the kernel and the window of this stream hold is far less than what there is to send.
        assert sum(sent) < total
        assert len(answer.read()) == total - 1
    assert sum(sent) == total


def test_sending_without_awaiting_keeps_the_order_and_is_bounded(app: Slime) -> None:
    refused = threading.Event()

    @app.stream(path="/few")
    async def few(req: Any, resp: Any) -> None:
        resp.start_stream()
        for i in range(40):
            resp.send(f"{i:04}" * 4096)
        resp.close()

    @app.stream(path="/many")
    async def many(req: Any, resp: Any) -> None:
        resp.start_stream()
        try:
            for _ in range(1000):
                resp.send(b"x" * 65536)
        except RuntimeError as error:
            assert "await resp.send" in str(error)  # noqa: PT017
            refused.set()

    with TestClient(app) as client:
        assert client.get("/few").text == "".join(f"{i:04}" * 4096 for i in range(40))
        client.get("/many")
        assert refused.is_set()


def test_without_strict_order_a_failure_is_logged(app: Slime, caplog: pytest.LogCaptureFixture) -> None:
    @app.stream(path="/")
    def stream_me(req: Any, resp: Any) -> None:
        resp.send("too early", strict_order=False)
        resp.start_stream()
        resp.send("in time", strict_order=False)

    with TestClient(app) as client:
        assert client.get("/").text == "in time"
    assert "was not sent" in caplog.text


@pytest.mark.parametrize("variant", ["sync", "async"])
def test_server_sent_events(app: Slime, variant: str) -> None:
    @app.stream(path="/sync", content="text/event-stream")
    def events(req: Any, resp: Any) -> None:
        resp.start_stream()
        resp.send_event({"last": resp.last_event_id}, event="hello", id="1", retry=2000)
        resp.send_comment("over")

    @app.stream(path="/async", content="text/event-stream")
    async def events_async(req: Any, resp: Any) -> None:
        resp.start_stream()
        await resp.send_event({"last": resp.last_event_id}, event="hello", id="1", retry=2000)
        await resp.send_comment("over")

    with TestClient(app) as client, get(client, f"/{variant}", {"Last-Event-ID": "41"}) as answer:
        assert answer.getheader("content-type") == "text/event-stream"
        assert answer.getheader("cache-control") == "no-cache"
        assert answer.read() == b'event: hello\nid: 1\nretry: 2000\ndata: {"last":"41"}\n\n: over\n\n'


@pytest.mark.parametrize("variant", ["sync", "async"])
def test_a_silent_event_stream_is_kept_alive(app: Slime, variant: str) -> None:
    heard = threading.Event()

    @app.stream(path="/sync", content="text/event-stream")
    def events(req: Any, resp: Any) -> None:
        resp.keep_alive = 0.05
        resp.start_stream()
        assert heard.wait(10)

    @app.stream(path="/async", content="text/event-stream")
    async def events_async(req: Any, resp: Any) -> None:
        resp.keep_alive = 0.05
        resp.start_stream()
        await asyncio.to_thread(heard.wait, 10)

    with TestClient(app) as client, get(client, f"/{variant}") as answer:
        assert answer.read(6) == b":\n\n:\n\n"
        heard.set()
        answer.read()


def past_comments(answer: Any, size: int) -> bytes:
    """So many bytes, but for comments ahead of them: a busy machine is silent before the first piece."""
    read: bytes = answer.read(size)
    while read.startswith(b":\n\n"):
        read = read[3:] + answer.read(3)
    return read


@pytest.mark.parametrize("variant", ["sync", "async"])
@pytest.mark.parametrize(
    ("start", "rest"),
    [
        ("event: hello\n", "data: 1\n\n"),
        ("data: 1", "\n\n"),
        ("data: 1\n", "\n"),
        (b"data: 1\r\n", b"\r\n"),
        (b"data: 1\r", b"\r"),
    ],
)
def test_a_comment_does_not_split_an_event_that_is_sent_in_pieces(
    app: Slime, variant: str, start: str | bytes, rest: str | bytes
) -> None:
    """Of two streams that send at the same times, the one whose event is over gets comments."""
    halfway, heard = threading.Event(), threading.Event()

    @app.stream(path="/sync", content="text/event-stream")
    def events(req: Any, resp: Any) -> None:
        resp.keep_alive = 0.02
        resp.start_stream()
        resp.send(start)
        halfway.set()
        assert heard.wait(10)
        resp.send(rest)

    @app.stream(path="/async", content="text/event-stream")
    async def events_async(req: Any, resp: Any) -> None:
        resp.keep_alive = 0.02
        resp.start_stream()
        await resp.send(start)
        halfway.set()
        await asyncio.to_thread(heard.wait, 10)
        await resp.send(rest)

    @app.stream(path="/over", content="text/event-stream")
    def over(req: Any, resp: Any) -> None:
        resp.keep_alive = 0.02
        resp.start_stream()
        resp.send(start)
        resp.send(rest)
        heard.wait(10)

    def sent(piece: str | bytes) -> bytes:
        return piece.encode() if isinstance(piece, str) else piece

    whole = sent(start) + sent(rest)
    with TestClient(app) as client, get(client, f"/{variant}") as answer:
        assert past_comments(answer, len(sent(start))) == sent(start)
        assert halfway.wait(10)
        with get(client, "/over") as other:
            expected = whole + b":\n\n" * 5
            assert past_comments(other, len(expected)) == expected
        heard.set()
        assert answer.read(len(sent(rest))) == sent(rest)


@pytest.mark.parametrize("variant", ["sync", "async"])
@pytest.mark.parametrize(
    ("sent", "seen"), [("grüße-€".encode(), "grüße-€"), (b"plain", "plain"), (b"\xe9t\xe9", "été")]
)
def test_the_last_event_id_is_read_as_it_was_sent(app: Slime, variant: str, sent: bytes, seen: str) -> None:
    @app.stream(path="/sync", content="text/event-stream")
    def events(req: Any, resp: Any) -> None:
        resp.start_stream()
        resp.send_event({"last": resp.last_event_id})

    @app.stream(path="/async", content="text/event-stream")
    async def events_async(req: Any, resp: Any) -> None:
        resp.start_stream()
        await resp.send_event({"last": resp.last_event_id})

    with TestClient(app) as client:
        answer = client.get(f"/{variant}", headers={"Last-Event-ID": sent})
    assert json.loads(answer.text.removeprefix("data: ")) == {"last": seen}


@pytest.mark.parametrize("dev", [True, False])
@pytest.mark.parametrize("variant", ["sync", "async"])
def test_a_stream_that_returns_text_is_told_in_dev(
    app: Slime, variant: str, dev: bool, caplog: pytest.LogCaptureFixture
) -> None:
    @app.stream(path="/sync")
    def plain(req: Any, resp: Any) -> str:
        resp.start_stream()
        return "lost"

    @app.stream(path="/async")
    async def later(req: Any, resp: Any) -> str:
        resp.start_stream()
        return "lost"

    with TestClient(app, dev=dev) as client:
        assert client.get(f"/{variant}").text == ""
    lines = [each.getMessage() for each in caplog.records if "returned a value of type str" in each.getMessage()]
    assert len(lines) == dev
    assert all(f"GET /{variant}" in line and "test_streaming.py:" in line for line in lines)


@pytest.mark.parametrize("variant", ["sync", "async"])
@pytest.mark.parametrize("dev", [True, False])
def test_a_stream_that_never_starts_is_told_in_dev(
    app: Slime, variant: str, dev: bool, caplog: pytest.LogCaptureFixture
) -> None:
    @app.stream(path="/sync")
    def plain(req: Any, resp: Any) -> None:
        if "status" in req.query:
            resp.set_status(418)

    @app.stream(path="/async")
    async def later(req: Any, resp: Any) -> None:
        if "status" in req.query:
            resp.set_status(418)

    with TestClient(app, dev=dev) as client:
        assert client.get(f"/{variant}?status=418").status_code == 418
        assert "without starting it" not in caplog.text
        assert client.get(f"/{variant}").status_code == 204
    lines = [each.getMessage() for each in caplog.records if "without starting it" in each.getMessage()]
    assert len(lines) == dev
    assert all(f"GET /{variant}" in line and "call resp.start_stream()" in line for line in lines)


@pytest.mark.parametrize("variant", ["sync", "async"])
@pytest.mark.parametrize("call", ["send", "send_event", "send_comment", "close"])
def test_what_is_called_before_the_start_says_what_to_call(app: Slime, variant: str, call: str) -> None:
    told = list[str]()

    def tell(resp: Any) -> None:
        with pytest.raises(RuntimeError) as raised:
            getattr(resp, call)(*(() if call == "close" else ("x",)))
        told.append(str(raised.value))
        resp.set_status(202)

    @app.stream(path="/sync", content="text/event-stream")
    def plain(req: Any, resp: Any) -> None:
        tell(resp)

    @app.stream(path="/async", content="text/event-stream")
    async def later(req: Any, resp: Any) -> None:
        tell(resp)

    with TestClient(app) as client:
        assert client.get(f"/{variant}").status_code == 202
    assert told == [
        "the stream has not been started: call resp.start_stream() before resp.send(…) and resp.close()",
    ]


def test_a_stream_decorator_without_parentheses_is_refused(app: Slime) -> None:
    with pytest.raises(InvalidHandler, match=r"@app.stream needs parentheses above .*get"):
        app.stream(get)


@pytest.mark.parametrize("variant", ["sync", "async"])
def test_a_stream_that_sets_vary_does_not_lose_the_origin(app: Slime, variant: str) -> None:
    @app.stream(path="/sync", plugin=Cors("https://shop.example"))
    def plain(req: Any, resp: Any) -> None:
        resp.set_header("vary", "Accept-Language")
        resp.start_stream()
        resp.send("body")

    @app.stream(path="/async", plugin=Cors("https://shop.example"))
    async def later(req: Any, resp: Any) -> None:
        resp.set_header("vary", "Accept-Language")
        resp.start_stream()
        await resp.send("body")

    with TestClient(app) as client:
        answer = client.get(f"/{variant}", headers={"Origin": "https://shop.example"})
        assert answer.text == "body"
        assert answer.headers["vary"] == "Origin, Accept-Language"
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"


def test_middleware_runs_before_the_first_byte(app: Slime) -> None:
    @app.stream(path="/")
    def stream_me(req: Any, resp: Any) -> None:
        resp.start_stream()
        resp.send("body")

    @app.middle_before(path="/")
    def guard(req: Any, resp: Any) -> Any:
        resp.set_header("X-Before", "1")
        return resp.plain("no", status=401) if "authorization" not in req.header else None

    with TestClient(app) as client:
        assert client.get("/").status_code == 401
        allowed = client.get("/", headers={"Authorization": "x"})
        assert (allowed.text, allowed.headers["x-before"]) == ("body", "1")


@pytest.mark.parametrize("later", [False, True])
def test_without_strict_order_a_stream_is_logged_once_and_on_one_line(
    later: bool, app: Slime, caplog: pytest.LogCaptureFixture
) -> None:
    def send_all(resp: Any) -> None:
        for piece in range(5):
            resp.send(piece, strict_order=False)

    if later:

        @app.stream(path="/{name}", method="GET", content="text/plain")
        async def stream_later(req: Any, resp: Any) -> None:
            send_all(resp)

    else:

        @app.stream(path="/{name}", method="GET", content="text/plain")
        def stream_me(req: Any, resp: Any) -> None:
            send_all(resp)

    with TestClient(app) as client:
        client.get("/a%0D%0AERROR%20forged")
    (line,) = [record.getMessage() for record in caplog.records if "was not sent" in record.getMessage()]
    assert line.splitlines() == [line]
    assert r"/a\r\nERROR forged" in line


@pytest.mark.parametrize("variant", ["sync", "async"])
def test_a_comment_that_a_filter_fails_at_is_shown_to_plugins_and_ends_no_other_keep_alive(variant: str) -> None:
    seen: queue.Queue[tuple[str, str]] = queue.Queue()
    heard = threading.Event()

    class Encoder:
        def push(self, data: bytes) -> bytes:
            if data == b":\n\n":
                raise ValueError("no comments")
            return data

        flush = finish = lambda self: b""

    class Filter:
        def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Encoder | None:
            return Encoder() if request.path != "/other" else None

    class Plugin:
        @hookimpl
        def slime_body_filter(self) -> Filter:
            return Filter()

        @hookimpl
        def slime_exception(self, exc: BaseException, where: str) -> None:
            seen.put((where, repr(exc)))

    app = Slime(__file__, plugins=[Plugin()])

    def events(req: Any, resp: Any) -> None:
        resp.keep_alive = 0.02
        resp.start_stream()
        heard.wait(10)

    async def events_async(req: Any, resp: Any) -> None:
        resp.keep_alive = 0.02
        resp.start_stream()
        await asyncio.to_thread(heard.wait, 10)

    for name, handler in {"sync": events, "async": events_async, "other": events}.items():
        app.stream(path=f"/{name}", content="text/event-stream")(handler)
    with TestClient(app) as client, get(client, f"/{variant}"):
        shown = seen.get(timeout=10)
        with get(client, "/other") as answer:
            assert answer.read(6) == b":\n\n:\n\n"
            heard.set()
    assert shown == ({"sync": "stream", "async": "background"}[variant], "ValueError('no comments')")
