"""`resp.stream`: bodies of the pieces of an iterable, on any route."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import queue
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import HttpError, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.condition import eventually
from support.http2 import Http2, Reset
from support.toys import raw, read_until, toy
from support.wire import Wire

USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")
KINDS = ["plain", "async"]
PIECE = b"x" * 65536
TOO_MUCH = 1024
"""Pieces, more than any buffer between handler and client holds."""

Body = Callable[[], Any]


def app_of(plain: Body, asynchronous: Body, *middleware: SlimeMiddleware, plugins: Any = (), **options: Any) -> Slime:
    """Routes `/<handler>/<iterable>`: a plain handler and a coroutine, with an iterable that is either."""
    app = Slime(__file__, plugins=plugins)
    for kind, body in (("plain", plain), ("async", asynchronous)):

        def handler(req: SlimeRequest, resp: SlimeResponse, body: Body = body) -> Any:
            USER.set("ada")
            return resp.stream(body(), **options)

        async def coro(req: SlimeRequest, resp: SlimeResponse, body: Body = body) -> Any:
            USER.set("ada")
            return resp.stream(body(), **options)

        app.route(path=f"/plain/{kind}", plugin=middleware)(handler)
        app.route(path=f"/async/{kind}", plugin=middleware)(coro)
    return app


EACH = pytest.mark.parametrize("path", [f"/{handler}/{iterable}" for handler in KINDS for iterable in KINDS])


def ask(client: TestClient, version: str, method: str, path: str) -> Any:
    if version == "2":
        with Http2.tls("127.0.0.1", client.port) as connection:
            return connection.ask(method, path)
    with raw(client) as wire:
        wire.request(method, path)
        return wire.answer(to=method)


def server(version: str, app: Slime, tmp_path: Path, **options: Any) -> TestClient:
    return TestClient(app, https=SlimeTls(*self_signed(tmp_path)) if version == "2" else None, **options)


class Places:
    """Where generators run, and how they end."""

    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[str, str, bool]] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def note(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_loop = False
        else:
            on_loop = True
        self.seen.put((USER.get(), threading.current_thread().name, on_loop))


@EACH
def test_the_pieces_are_the_body_and_come_from_the_pool_or_the_loop(path: str) -> None:
    places = Places()

    def pieces() -> Iterator[bytes | str]:
        places.note()
        yield b"one "
        yield "zwei ä"
        yield b""
        yield b"!"

    async def apieces() -> AsyncIterator[bytes | str]:
        places.note()
        for piece in pieces():
            await asyncio.sleep(0)
            yield piece

    with TestClient(app_of(pieces, apieces), workers=2) as client:
        for _ in range(300):
            response = client.get(path)
            assert (response.status_code, response.text) == (200, "one zwei ä!")
            assert response.headers["content-type"] == "application/octet-stream"
            assert "content-length" not in response.headers
            user, thread, on_loop = places.seen.get(timeout=15)
            assert (user, on_loop) == ("ada", path.endswith("/async")), "in the context of the handler"
            assert thread.startswith("slime-loop") is on_loop
            if on_loop:
                places.seen.get(timeout=15)


@EACH
def test_status_and_headers_are_those_that_were_set_before_and_by_middleware(path: str) -> None:
    order: list[str] = []

    class After(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            assert (resp.is_set, resp.started, resp.body) == (True, False, None)
            resp.set_header("X-After", "yes")
            order.append("after")

    def pieces() -> Iterator[str]:
        order.append("first piece")
        yield "a"

    async def apieces() -> AsyncIterator[str]:
        for piece in pieces():
            yield piece

    app = app_of(pieces, apieces, After(), status=202, content_type="text/x-tiny")
    with TestClient(app) as client:
        response = client.get(path)
    assert (response.status_code, response.text) == (202, "a")
    assert response.headers["content-type"] == "text/x-tiny"
    assert response.headers["x-after"] == "yes"
    assert order == ["after", "first piece"]


@EACH
def test_a_type_that_was_set_stays_and_a_length_counts(path: str) -> None:
    def pieces() -> Iterator[str]:
        yield "abc"

    async def apieces() -> AsyncIterator[str]:
        yield "abc"

    class Before(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("Content-Type", "text/x-tiny")
            resp.set_header("Content-Length", "3")

    app = app_of(pieces, apieces, Before())
    with TestClient(app) as client:
        response = client.get(path)
    assert response.text == "abc"
    assert response.headers["content-type"] == "text/x-tiny"
    assert response.headers["content-length"] == "3"


@pytest.mark.parametrize("version", ["1.1", "2"])
@EACH
def test_a_piece_goes_out_when_it_is_there(path: str, version: str, tmp_path: Path) -> None:
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"one"
        assert go_on.wait(15)
        yield b"two"

    async def apieces() -> AsyncIterator[bytes]:
        yield b"one"
        assert await asyncio.to_thread(go_on.wait, 15)
        yield b"two"

    with server(version, app_of(pieces, apieces), tmp_path) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                stream = connection.begin("GET", path)
                assert connection.head(stream) == 200
                go_on.set()
                assert connection.answer(stream).text == "onetwo"
        else:
            with raw(client) as wire:
                wire.request("GET", path)
                assert read_until(wire, b"one\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
                go_on.set()
                assert read_until(wire, b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"
                wire.request("GET", path)
                assert wire.answer().text == "onetwo"


class Failing:
    """An iterable of either kind that fails after so many pieces, and notes that it is closed."""

    def __init__(self, pieces: int, error: BaseException, closed: list[str]) -> None:
        self._pieces, self._error, self._closed = pieces, error, closed

    def __call__(self) -> Iterator[bytes]:
        try:
            for _ in range(self._pieces):
                yield b"piece"
            raise self._error
        finally:
            self._closed.append("closed")

    async def coro(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(self._pieces):
                yield b"piece"
            await asyncio.sleep(0)
            raise self._error
        finally:
            await asyncio.sleep(0)
            self._closed.append("closed")


@pytest.mark.parametrize("version", ["1.1", "2"])
@EACH
def test_what_fails_before_the_first_piece_is_an_error_of_the_handler(path: str, version: str, tmp_path: Path) -> None:
    closed: list[str] = []
    seen: list[tuple[str, str]] = []
    failing = Failing(0, ValueError("secret"), closed)
    observer = toy("Observer", slime_exception=lambda exc, where: seen.append((type(exc).__name__, where)))
    app = app_of(failing, failing.coro, plugins=[observer], content_type="text/csv")

    @app.error(ValueError)
    def wrong(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> Any:
        return resp.plain("wrong", status=422)

    with server(version, app, tmp_path) as client:
        answer = ask(client, version, "GET", path)
        assert (answer.status, answer.text) == (422, "wrong")
        assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert closed == ["closed"]
    assert seen == [("ValueError", "stream")]


@EACH
@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("secret"), 500), (SystemExit(1), 500), (HttpError(404), 404)]
)
def test_without_an_error_handler_it_is_a_plain_500(path: str, error: BaseException, status: int) -> None:
    failing = Failing(0, error, [])
    with TestClient(app_of(failing, failing.coro)) as client:
        response = client.get(path)
        assert response.status_code == status
        assert "secret" not in response.text
        assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize("version", ["1.1", "2"])
@EACH
def test_what_fails_later_cuts_the_answer_and_is_logged(
    path: str, version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[str] = []
    failing = Failing(2, ValueError("secret"), closed)
    with server(version, app_of(failing, failing.coro), tmp_path) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection, pytest.raises(Reset):
                connection.ask("GET", path)
        else:
            with raw(client) as wire:
                wire.request("GET", path)
                with pytest.raises(EOFError):
                    wire.answer()
        eventually(lambda: any("after the response had started" in record.message for record in caplog.records))
    assert closed == ["closed"]


@EACH
def test_an_error_page_that_is_a_failing_stream_ends_as_a_500(path: str) -> None:
    failing = Failing(0, ValueError("secret"), [])
    app = app_of(failing, failing.coro)

    @app.error(ValueError)
    def wrong(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> Any:
        return resp.stream(failing.coro() if "async" in req.path else failing(), status=422)

    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch, TestClient(app) as client:
        patch.setattr("sys.unraisablehook", lambda args: seen.append(str(args.exc_value)))
        assert client.get(path).status_code == 500
    assert seen == ["secret"]


@EACH
def test_no_piece_is_an_empty_body(path: str) -> None:
    async def apieces() -> AsyncIterator[bytes]:
        for piece in ():
            yield piece

    with TestClient(app_of(list, apieces)) as client, raw(client) as wire:
        for _ in range(2):
            wire.request("GET", path)
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, b"")


class Closing:
    """An iterable of either kind that is no generator, and notes what is done with it."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def __iter__(self) -> Iterator[bytes]:
        self._calls.append("iterated")
        return iter([b"a"])

    def close(self) -> None:
        self._calls.append("closed")


class AsyncClosing:
    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._calls.append("iterated")
        yield b"a"

    async def aclose(self) -> None:
        self._calls.append("closed")


@pytest.mark.parametrize("version", ["1.1", "2"])
@EACH
def test_head_has_the_head_and_iterates_over_nothing(path: str, version: str, tmp_path: Path) -> None:
    calls: list[str] = []
    with server(version, app_of(lambda: Closing(calls), lambda: AsyncClosing(calls)), tmp_path) as client:
        answer = ask(client, version, "HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        eventually(lambda: calls == ["closed"])
        assert ask(client, version, "GET", path).text == "a"
        eventually(lambda: calls == ["closed", "iterated", "closed"])


@EACH
def test_a_status_without_content_iterates_over_nothing(path: str) -> None:
    calls: list[str] = []
    with TestClient(app_of(lambda: Closing(calls), lambda: AsyncClosing(calls), status=204)) as client:
        assert client.get(path).status_code == 204
        eventually(lambda: calls == ["closed"])


@pytest.mark.parametrize("handler", KINDS)
@pytest.mark.parametrize("instead", ["middleware", "error"])
def test_an_iterable_in_whose_place_another_answer_is_given_is_closed(handler: str, instead: str) -> None:
    calls: list[str] = []

    class After(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            if instead == "error":
                raise RuntimeError("secret")
            return resp.plain("instead", status=500)

    with TestClient(app_of(lambda: Closing(calls), lambda: AsyncClosing(calls), After())) as client:
        assert client.get(f"/{handler}/plain").status_code == 500
        assert calls == ["closed"]


class Flood:
    """Generators that send too much, and note how far they have come and how they end."""

    def __init__(self) -> None:
        self.count = 0
        self.ends: queue.SimpleQueue[type[BaseException] | None] = queue.SimpleQueue()

    def __call__(self) -> Iterator[bytes]:
        try:
            while self.count < TOO_MUCH:
                self.count += 1
                yield PIECE
        except BaseException as error:
            self.ends.put(type(error))
            raise
        self.ends.put(None)

    async def coro(self) -> AsyncIterator[bytes]:
        try:
            while self.count < TOO_MUCH:
                self.count += 1
                yield PIECE
        except BaseException as error:
            self.ends.put(type(error))
            raise
        self.ends.put(None)


def stalled(flood: Flood) -> int:
    """How many pieces it has made when it makes no more for a while."""
    stable, last = 0, 0
    while stable < 5:
        threading.Event().wait(0.1)
        stable = stable + 1 if flood.count == last and last else 0
        last = flood.count
    return last


@EACH
def test_the_iteration_is_as_fast_as_the_client(path: str) -> None:
    flood = Flood()
    with TestClient(app_of(flood, flood.coro)) as client, Wire.tcp("127.0.0.1", client.port) as wire:
        wire.request("GET", path)
        assert stalled(flood) < TOO_MUCH / 2
        assert len(wire.answer().body) == TOO_MUCH * len(PIECE)
        assert flood.ends.get(timeout=15) is None


@pytest.mark.parametrize("version", ["1.1", "2"])
@EACH
def test_a_client_that_leaves_ends_the_iteration_and_that_is_no_error(
    path: str, version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, unraisable: list[str]
) -> None:
    flood = Flood()
    with server(version, app_of(flood, flood.coro), tmp_path) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                stream = connection.begin("GET", path)
                assert connection.head(stream) == 200
                connection.h2.reset_stream(stream, 8)
                connection.flush()
                assert flood.ends.get(timeout=15) is GeneratorExit
        else:
            with raw(client) as wire:
                wire.request("GET", path)
                wire.exactly(100)
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            assert flood.ends.get(timeout=15) is GeneratorExit
        assert flood.count < TOO_MUCH
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert unraisable == []


@pytest.mark.parametrize("handler", KINDS)
def test_an_asynchronous_iterable_that_waits_is_cancelled_when_its_client_leaves(handler: str) -> None:
    ends: queue.SimpleQueue[type[BaseException]] = queue.SimpleQueue()

    async def apieces() -> AsyncIterator[bytes]:
        yield b"piece"
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            ends.put(type(error))
            raise

    with TestClient(app_of(list, apieces)) as client:
        with raw(client) as wire:
            wire.request("GET", f"/{handler}/async")
            read_until(wire, b"piece\r\n")
        assert ends.get(timeout=15) is asyncio.CancelledError


@pytest.mark.parametrize("handler", KINDS)
def test_a_full_pool_is_a_503_and_the_iterable_is_closed(handler: str) -> None:
    calls: list[str] = []
    begun, go_on = threading.Event(), threading.Event()
    app = app_of(lambda: Closing(calls), lambda: AsyncClosing(calls))

    @app.route(path="/busy", blocking=True)
    def busy(req: SlimeRequest, resp: SlimeResponse) -> Any:
        begun.set()
        assert go_on.wait(15)
        return "free"

    @app.route(path="/inline", blocking=False)
    def inline(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream(Closing(calls))

    path = "/async/plain" if handler == "async" else "/inline"
    server = TestClient(app, workers=1, pool_threads=1, worker_queue_size=1)
    with server as client, raw(client) as first, raw(client) as second:
        first.request("GET", "/busy")
        assert begun.wait(15)
        second.request("GET", "/busy")
        # The second waits in the queue when an answer to what came after it is there.
        responses = [client.get(path) for _ in range(2)]
        assert responses[-1].status_code == 503
        assert responses[-1].headers["retry-after"] == "1"
        assert calls.count("closed") >= 1
        go_on.set()
        assert first.answer().text == second.answer().text == "free"


@pytest.mark.parametrize("handler", KINDS)
def test_uploads_last_until_the_stream_has_ended(handler: str) -> None:
    app = Slime(__file__)

    def lines(req: SlimeRequest) -> Iterator[bytes]:
        with open(req.file[0].file_path, "rb") as file:
            yield from file

    @app.route(path="/plain", method="POST")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream(lines(req))

    @app.route(path="/async", method="POST")
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream(lines(req))

    with TestClient(app) as client:
        assert client.post(f"/{handler}", files={"notes": "one\ntwo\n"}).text == "one\ntwo\n"


@pytest.mark.parametrize("handler", KINDS)
def test_a_request_body_can_be_sent_back_as_it_arrives(handler: str) -> None:
    app = Slime(__file__)

    @app.route(path="/plain", method="POST", stream_body=True)
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream(req.chunks())

    @app.route(path="/async", method="POST", stream_body=True)
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream(req.chunks())

    with TestClient(app) as client:
        assert client.post(f"/{handler}", content=b"x" * 300_000).content == b"x" * 300_000


def test_what_is_no_iterable_of_pieces_is_refused_at_the_call() -> None:
    def generator() -> Iterator[str]:
        yield "a"

    app = Slime(__file__)
    said: dict[str, str] = {}

    @app.route(path="/")
    def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        for name, value in (("text", "abc"), ("bytes", b"abc"), ("dict", {}), ("number", 3), ("function", generator)):
            with pytest.raises(TypeError) as refused:
                resp.stream(value)  # type: ignore[arg-type]
            said[name] = str(refused.value)
        return generator()

    @app.error(500)
    def error(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> Any:
        return resp.plain(str(exc), status=500)

    with TestClient(app) as client:
        assert "return resp.stream(…)" in client.get("/").text
    assert "such as a generator, not" in said["number"]
    assert said["text"].endswith("write [data]")
    assert said["function"].endswith("call the function")


@EACH
def test_a_piece_that_is_neither_text_nor_bytes_is_an_error(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async def apieces() -> AsyncIterator[Any]:
        yield 7

    with TestClient(app_of(lambda: [7], apieces)) as client, raw(client) as wire:
        wire.request("GET", path)
        with pytest.raises(EOFError):
            wire.answer()
