"""Bodies that are written piece by piece, by plain handlers on a pool thread and by coroutines on an event loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from h2.events import DataReceived

from slimeweb import ClientDisconnected, RouteSpec, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.condition import eventually
from support.crew import at_once
from support.http2 import Http2, Reset, tls_to
from support.toys import app_with, both, hesitant, kind, raw, read_until, written
from support.wire import Wire

PIECE = b"x" * 65536
TOO_MUCH = 64 * 1024 * 1024
"""More bytes than any buffer between handler and client holds."""


def app_writing(*middleware: SlimeMiddleware, **handlers: Any) -> Slime:
    """Each handler at the path of its name."""
    app = app_with(kind("written", written))
    for name, handler in handlers.items():
        app.route(path=f"/{name}", written=True, plugin=middleware)(handler)
    return app


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_a_piece_goes_out_when_it_is_written(path: str) -> None:
    go_on = threading.Event()
    with TestClient(app_writing(**hesitant(go_on))) as client, raw(client) as wire:
        wire.request("GET", path)
        head = read_until(wire, b"one\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"x-kind: written\r\n" in head.lower()
        assert b"transfer-encoding: chunked\r\n" in head.lower()
        go_on.set()
        assert read_until(wire, b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"
        # The connection is good for another request.
        wire.request("GET", path)
        assert wire.answer().text == "onetwo"


def slow_reader(client: TestClient, target: str) -> socket.socket:
    """A client that has asked and reads nothing yet, with a small window."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    sock.settimeout(15)
    sock.connect(("127.0.0.1", client.port))
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return sock


def count_rest(sock: socket.socket) -> int:
    count = 0
    while piece := sock.recv(1 << 20):
        count += len(piece)
    return count


class Progress:
    """How many bytes a handler has written, as seen from another thread."""

    def __init__(self) -> None:
        self.bytes = 0
        self.ended = threading.Event()
        self.reason: BaseException | None = None

    def is_stalled(self) -> bool:
        before = self.bytes
        time.sleep(0.25)
        return before > 0 and self.bytes == before


def flooding(progress: Progress) -> dict[str, Callable[..., Any]]:
    """Handlers that write `TOO_MUCH`, and note why they end."""

    def sync(req: SlimeRequest, writer: Any) -> None:
        try:
            writer.start()
            while progress.bytes < TOO_MUCH:
                writer.write(PIECE)
                progress.bytes += len(PIECE)
            writer.close()
        except BaseException as error:
            progress.reason = error
            raise
        finally:
            progress.ended.set()

    async def coro(req: SlimeRequest, writer: Any) -> None:
        try:
            writer.start()
            while progress.bytes < TOO_MUCH:
                while not writer.try_write(PIECE):
                    await writer.drain()
                progress.bytes += len(PIECE)
            writer.close()
        except BaseException as error:
            progress.reason = error
            raise
        finally:
            progress.ended.set()

    return {"sync": sync, "coro": coro}


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_a_handler_is_as_fast_as_its_client(path: str) -> None:
    progress = Progress()
    with TestClient(app_writing(**flooding(progress))) as client, slow_reader(client, path) as sock:
        eventually(progress.is_stalled, what="the handler waits for its client")
        assert progress.bytes < TOO_MUCH / 4
        assert count_rest(sock) > TOO_MUCH
        assert progress.ended.wait(10)
        assert progress.bytes == TOO_MUCH
        assert progress.reason is None


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_a_client_that_leaves_ends_the_handler_and_that_is_no_error(
    path: str, caplog: pytest.LogCaptureFixture, unraisable: list[str]
) -> None:
    progress = Progress()
    with TestClient(app_writing(**flooding(progress))) as client:
        with slow_reader(client, path) as sock:
            assert sock.recv(1024)
        assert progress.ended.wait(10)
        # The worker is as good as new.
        assert client.get("/nowhere").status_code == 404
    expected = ClientDisconnected if path == "/sync" else (asyncio.CancelledError, ClientDisconnected)
    assert isinstance(progress.reason, expected)
    assert progress.bytes < TOO_MUCH
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert unraisable == []


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_head_is_answered_without_the_body(path: str, caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    with TestClient(app_writing(**flooding(progress))) as client:
        answer = client.head(path)
        assert (answer.status_code, answer.content, answer.headers["x-kind"]) == (200, b"", "written")
        assert progress.ended.wait(10)
        assert progress.bytes < TOO_MUCH / 4
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_the_end_of_the_handler_ends_the_body(path: str) -> None:
    def unclosed(writer: Any) -> None:
        writer.start()
        writer.try_write(b"all there is")

    with TestClient(app_writing(**both(unclosed))) as client:
        assert client.get(path).text == "all there is"


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_a_body_that_never_starts_is_an_empty_answer(path: str) -> None:
    with TestClient(app_writing(**both(lambda writer: None))) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.content, answer.headers["x-kind"]) == (204, b"", "written")


def failing(writer: Any) -> None:
    writer.start()
    writer.try_write(b"half of")
    raise RuntimeError("the other half is secret")


class Passing(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        pass


@pytest.mark.parametrize("middleware", [(), (Passing(),)], ids=["bare", "in middleware"])
@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_a_handler_that_raises_after_the_start_cuts_the_body(
    path: str, middleware: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(app_writing(*middleware, **both(failing))) as client, raw(client) as wire:
        wire.request("GET", path)
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.answer()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info is not None
    assert "secret" in str(errors[0].exc_info[1])


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_a_handler_that_raises_before_the_start_is_a_500(path: str) -> None:
    def broken(writer: Any) -> None:
        raise RuntimeError("secret")

    with TestClient(app_writing(**both(broken))) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_abort_cuts_the_body(path: str) -> None:
    def aborting(writer: Any) -> None:
        writer.start()
        writer.try_write(b"half of")
        writer.abort()
        assert writer.is_closed

    with TestClient(app_writing(**both(aborting))) as client, raw(client) as wire:
        wire.request("GET", path)
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.answer()


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("path", ["/sync", "/coro"])
@pytest.mark.parametrize("end", ["raises", "aborts"])
def test_what_was_written_before_a_failure_arrives_and_then_the_cut(
    path: str, version: str, end: str, tmp_path: Path
) -> None:
    words = b"what was sent arrives" * 1000

    def half(writer: Any) -> None:
        writer.start()
        assert writer.try_write(words)
        if end == "raises":
            raise RuntimeError("secret")
        writer.abort()

    with TestClient(app_writing(**both(half)), https=SlimeTls(*self_signed(tmp_path))) as client:
        # Again and again: which of the two came first was up to chance.
        for _ in range(10):
            if version == "2":
                with Http2.tls("127.0.0.1", client.port) as connection:
                    stream = connection.begin("GET", path)
                    with pytest.raises(Reset):
                        connection.answer(stream)
                    seen = [event for event in connection.events[stream] if isinstance(event, DataReceived)]
                    assert b"".join(event.data for event in seen) == words
            else:
                with Wire(tls_to("127.0.0.1", client.port, ["http/1.1"])) as wire:
                    wire.request("GET", path)
                    assert b"".join(iter(lambda wire=wire: wire.socket.recv(65536), b"")).count(words) == 1


def test_a_writer_says_what_is_the_matter() -> None:
    said: list[str] = []

    def misused(writer: Any) -> None:
        def noted(call: Callable[..., Any], *arguments: Any) -> None:
            with pytest.raises(RuntimeError) as caught:
                call(*arguments)
            said.append(str(caught.value))

        assert not writer.started
        assert not writer.is_closed
        noted(writer.write, b"early")
        noted(writer.try_write, b"early")
        noted(writer.close)
        writer.start()
        assert writer.started
        noted(writer.start)
        writer.close()
        assert writer.is_closed
        writer.close()
        noted(writer.write, b"late")

    with TestClient(app_writing(**both(misused))) as client:
        assert client.get("/sync").status_code == 200
    assert [line.split(":")[0] for line in said] == [
        "the body has not been started",
        "the body has not been started",
        "the body has not been started",
        "the body has been started already",
        "the body has been closed",
    ]


def test_headers_and_body_are_settled_once_the_body_has_started() -> None:
    raised: list[type] = []

    def wrap(route: RouteSpec, handler: Any) -> Any:
        def write(req: SlimeRequest, resp: SlimeResponse) -> None:
            writer = resp.writer()
            resp.set_status(206)
            resp.set_header("X-Early", "yes")
            writer.start()
            for late in (
                lambda: resp.set_header("X-Late", "yes"),
                lambda: resp.add_header("X-Late", "yes"),
                lambda: resp.remove_header("X-Early"),
                lambda: resp.set_status(500),
                lambda: resp.plain("late"),
                lambda: resp.writer(),
            ):
                with pytest.raises(RuntimeError) as caught:
                    late()
                raised.append(caught.type)
            assert resp.started

        return write

    app = app_with(kind("late", wrap))
    app.route(path="/", late=True)(lambda req, resp: None)
    with TestClient(app) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["x-early"]) == (206, "yes")
        assert "x-late" not in answer.headers
    assert len(raised) == 6


def test_middleware_can_refuse_before_the_first_byte_and_sees_that_it_has_gone() -> None:
    started: list[bool] = []

    class Guard(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            return resp.plain("no", status=401) if req.query.get("no") else None

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            started.append(resp.started)

    def write(writer: Any) -> None:
        writer.start()
        writer.try_write(b"yes")

    with TestClient(app_writing(Guard(), **both(write))) as client:
        assert client.get("/sync?no=1").status_code == 401
        assert client.get("/sync").text == "yes"
    assert started == [False, True]


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_text_goes_as_utf_8_and_what_is_neither_text_nor_bytes_is_refused(path: str) -> None:
    def write(writer: Any) -> None:
        writer.start()
        for send in (writer.write, writer.try_write):
            with pytest.raises(TypeError):
                send(1)
            with pytest.raises(UnicodeEncodeError):
                send("half a pair: \ud800")
        writer.write("Grüße, ")
        assert writer.try_write("世界")

    with TestClient(app_writing(**both(write))) as client:
        assert client.get(path).content == "Grüße, 世界".encode()


def test_several_threads_may_write() -> None:
    def write(writer: Any) -> None:
        writer.start()
        # More than the buffer holds, so that they wait for the client as well.
        at_once(4, lambda number: [writer.write(bytes([97 + number]) * 999 + b"\n") for _ in range(200)])

    with TestClient(app_writing(sync=both(write)["sync"])) as client:
        lines = client.get("/sync").content.splitlines()
    assert sorted(lines) == sorted([bytes([97 + number]) * 999 for number in range(4)] * 200)


def test_drains_that_are_given_up_are_forgotten() -> None:
    counts: list[int] = []

    async def flooding(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        while writer.try_write(PIECE):
            pass
        given_up = []
        for _ in range(20):
            future = asyncio.ensure_future(writer.drain())
            given_up.append(weakref.ref(future))
            future.cancel()
            del future
        gc.collect()
        counts.append(sum(ref() is not None for ref in given_up))
        await writer.drain()
        writer.close()

    app = Slime(__file__)
    app.route(path="/")(flooding)
    with TestClient(app) as client, raw(client) as wire:
        wire.request("GET", "/")
        eventually(lambda: counts)
        assert wire.answer().status == 200
    # The last one is looked at by the next.
    assert counts[0] <= 1
