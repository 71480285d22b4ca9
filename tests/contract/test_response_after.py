"""`resp.after`: what is called once an answer is out, or its client gone."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import HttpError, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, SlimeTls, hookimpl
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.condition import eventually
from support.http2 import Http2, tls_to
from support.versions import VERSIONS, served
from support.wire import Wire

ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])
EACH_VERSION = pytest.mark.parametrize("version", VERSIONS)

Handler = Callable[[SlimeRequest, SlimeResponse], Any]


class Watching:
    """Notes what `slime_exception` shows."""

    name = "watching"

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []

    @hookimpl
    def slime_exception(self, exc: BaseException, where: str, req: SlimeRequest | None) -> None:
        self.seen.append((repr(exc), where, None if req is None else req.path))


def handler_of(handler: Handler, is_async: bool) -> Any:
    if not is_async:
        return handler

    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> Any:
        await asyncio.sleep(0)
        return handler(req, resp)

    return coroutine


@EACH_VERSION
@ASYNC
@pytest.mark.parametrize("kind", ["text", "none", "empty", "json", "file", "304", "head", "stream"])
def test_functions_are_called_in_order_once_the_answer_is_out(
    kind: str, is_async: bool, version: str, tmp_path: Path
) -> None:
    called: list[object] = []
    app = Slime(__file__)
    (tmp_path / "page.txt").write_text("x" * 100_000)

    async def later(name: str) -> None:
        await asyncio.sleep(0)
        called.append(name)

    def answer(req: SlimeRequest, resp: SlimeResponse) -> Any:
        resp.after(called.append, "first")
        resp.after(later, "second")
        resp.after(called.append, "third")
        if kind == "stream":
            return resp.stream(iter(["a", "b"]))
        if kind in ("file", "304"):
            return resp.file(tmp_path / "page.txt")
        if kind == "none":
            return None
        return {"empty": resp.empty, "json": lambda: resp.json([1])}.get(kind, lambda: resp.plain("x" * 100_000))()

    app.route("/", method=["GET", "HEAD"])(handler_of(answer, is_async))
    with served(app, version, tmp_path) as ask:
        statuses = {"none": 204, "empty": 204, "304": 304}
        headers = {"If-None-Match": "*"} if kind == "304" else {}
        for count in (1, 2):
            assert ask("HEAD" if kind == "head" else "GET", "/", headers=headers).status == statuses.get(kind, 200)
            assert eventually(lambda count=count: called == ["first", "second", "third"] * count)  # type: ignore[misc]


@EACH_VERSION
@ASYNC
def test_none_is_called_before_the_end_of_a_stream(is_async: bool, version: str, tmp_path: Path) -> None:
    called, more = threading.Event(), threading.Event()
    seen: list[bool] = []
    app = Slime(__file__)

    def pieces(resp: SlimeResponse) -> Iterator[str]:
        yield "a"
        more.wait(10)
        # Also while the body is being sent.
        resp.after(called.set)
        yield "b"
        seen.append(called.is_set())

    async def pieces_async(resp: SlimeResponse) -> AsyncIterator[str]:
        for piece in pieces(resp):
            yield piece

    app.route("/")(
        handler_of(lambda req, resp: resp.stream(pieces_async(resp) if is_async else pieces(resp)), is_async)
    )
    with served(app, version, tmp_path) as ask:
        more.set()
        assert ask("GET", "/").text == "ab"
        assert called.wait(10)
    assert seen == [False]


@ASYNC
def test_plain_functions_run_on_the_pool_and_coroutine_functions_on_the_workers_loop(is_async: bool) -> None:
    ran: dict[str, str] = {}
    app = Slime(__file__)
    number = contextvars.ContextVar("number", default=0)

    def plain() -> None:
        ran["plain"] = f"{threading.current_thread().name} {number.get()}"

    async def coroutine() -> None:
        ran["coroutine"] = f"{threading.current_thread().name} {number.get()}"

    def answer(req: SlimeRequest, resp: SlimeResponse) -> str:
        number.set(7)
        resp.after(plain)
        resp.after(coroutine)
        return "x"

    app.route("/")(handler_of(answer, is_async))
    with TestClient(app) as client:
        client.get("/")
        assert eventually(lambda: len(ran) == 2)
    assert ran["coroutine"] == "slime-loop-0 7"
    assert ran["plain"].endswith(" 7")
    assert not ran["plain"].startswith("slime-loop"), ran


@EACH_VERSION
@ASYNC
@pytest.mark.parametrize("raises", ["handler", "HttpError", "middleware", "result", "error handler"])
def test_none_is_called_if_anything_was_raised(raises: str, is_async: bool, version: str, tmp_path: Path) -> None:
    called: list[str] = []
    app = Slime(__file__)

    class Failing(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.after(called.append, "before")

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            if req.path != "/fine":
                resp.after(called.append, "after")
            if raises == "middleware" and req.path != "/fine":
                raise ValueError(raises)

    def answer(req: SlimeRequest, resp: SlimeResponse) -> Any:
        resp.after(called.append, "handler")
        if raises in ("handler", "error handler"):
            raise ValueError(raises)
        if raises == "HttpError":
            raise HttpError(404)
        return object() if raises == "result" else "x"

    if raises == "error handler":

        @app.error(ValueError)
        def page(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> str:
            resp.after(called.append, "error handler")
            return "handled"

    app.route("/")(handler_of(answer, is_async))
    app.route("/fine")(handler_of(lambda req, resp: "fine", is_async))
    app.use(Failing())
    with served(app, version, tmp_path) as ask:
        ask("GET", "/")
        ask("GET", "/fine")
        assert eventually(lambda: called == ["before"])
    assert called == ["before"], "the one of the request that nothing was raised in"


@EACH_VERSION
@ASYNC
def test_none_is_called_if_a_stream_fails(is_async: bool, version: str, tmp_path: Path) -> None:
    called: list[str] = []
    watching = Watching()
    app = Slime(__file__, plugins=[watching])

    def pieces() -> Iterator[str]:
        yield "a"
        raise ValueError("x")

    async def pieces_async() -> AsyncIterator[str]:
        for piece in pieces():
            yield piece

    def answer(req: SlimeRequest, resp: SlimeResponse) -> Any:
        resp.after(called.append, "after")
        return resp.stream(pieces_async() if is_async else pieces())

    app.route("/")(handler_of(answer, is_async))
    with served(app, version, tmp_path) as ask:
        with pytest.raises(Exception):  # noqa: B017 - what an incomplete answer is depends on the client
            ask("GET", "/")
        assert eventually(lambda: watching.seen)
    assert called == []


@EACH_VERSION
@ASYNC
@pytest.mark.parametrize("writes", [False, True], ids=["waiting", "stream"])
def test_functions_are_called_where_the_client_leaves(
    writes: bool, is_async: bool, version: str, tmp_path: Path
) -> None:
    called, entered, left = threading.Event(), threading.Event(), threading.Event()
    app = Slime(__file__)

    def pieces() -> Iterator[str]:
        while True:
            yield "x" * 10_000

    async def pieces_async() -> AsyncIterator[str]:
        for piece in pieces():
            yield piece

    def answer(req: SlimeRequest, resp: SlimeResponse) -> Any:
        resp.after(called.set)
        entered.set()
        if not writes:
            left.wait(10)
            return "x"
        return resp.stream(pieces_async() if is_async else pieces())

    app.route("/", blocking=True)(answer) if not is_async else app.route("/")(handler_of(answer, is_async))
    with TestClient(app, https=SlimeTls(*self_signed(tmp_path))) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                connection.begin("GET", "/")
                assert entered.wait(10)
                assert not called.is_set()
        else:
            with Wire(tls_to("127.0.0.1", client.port, ["http/1.1"])) as wire:
                wire.request("GET", "/")
                assert entered.wait(10)
                assert not called.is_set()
        left.set()
        assert called.wait(10)


@ASYNC
def test_a_file_that_is_not_sent_after_all_is_an_answer_as_well(is_async: bool, tmp_path: Path) -> None:
    called: list[str] = []
    app = Slime(__file__)
    (tmp_path / "page.txt").write_text("x")

    def answer(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        resp.after(called.append, "after")
        return resp.file(tmp_path / "page.txt")

    app.route("/")(handler_of(answer, is_async))
    app.route("/failing")(handler_of(answer, is_async))

    @app.error(416)
    def page(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> str:
        if req.path == "/failing":
            raise ValueError("x")
        return "no such range"

    with TestClient(app) as client:
        asked = {"Range": "bytes=100-"}
        assert client.get("/failing", headers=asked).status_code == 500
        assert client.get("/", headers=asked).text == "no such range"
        assert eventually(lambda: called == ["after"])
    assert called == ["after"], "not where the error handler raises"


def test_middleware_may_give_functions_around_what_no_route_answers() -> None:
    called: list[str] = []
    app = Slime(__file__)

    class Giving(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            resp.after(called.append, req.path)
            return "taken" if req.path == "/taken" else None

    app.route("/taken")(lambda req, resp: "not reached")
    app.use(Giving())
    with TestClient(app) as client:
        assert client.get("/taken").text == "taken"
        assert eventually(lambda: called == ["/taken"])
        assert client.get("/nothing").status_code == 404
        assert eventually(lambda: called == ["/taken", "/nothing"])


class Echo:
    """A protocol that closes the connection at the first byte."""

    def __init__(self, order: list[str]) -> None:
        self.order = order

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.order.append("data")
        self.transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        self.order.append("lost")

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


@pytest.mark.parametrize("kind", ["plain", "coroutine", "awaiting"])
def test_a_switched_connection_is_one_answer(kind: str) -> None:
    order: list[str] = []
    app = Slime(__file__)

    def switch(req: SlimeRequest, resp: SlimeResponse) -> Any:
        resp.after(order.append, "after")
        return resp.switch_protocol(Echo(order), [("Upgrade", "echo/1")])

    async def awaiting(req: SlimeRequest, resp: SlimeResponse) -> None:
        await resp.switch_protocol(Echo(order), [("Upgrade", "echo/1")])
        resp.after(order.append, "after")
        while not order:
            await asyncio.sleep(0.001)

    app.route("/")(awaiting if kind == "awaiting" else handler_of(switch, kind == "coroutine"))
    with TestClient(app) as client, Wire.tcp("127.0.0.1", client.port) as wire:
        wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "echo/1"})
        assert wire.answer().status == 101
        assert order == []
        wire.send(b"x")
        assert eventually(lambda: len(order) == 3)
    assert order == ["data", "lost", "after"]


@ASYNC
def test_what_a_function_raises_is_logged_with_its_name_and_shown(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []
    watching = Watching()
    app = Slime(__file__, plugins=[watching])

    def failing(text: str) -> None:
        raise ValueError(text)

    async def leaving() -> None:
        raise SystemExit(3)

    def answer(req: SlimeRequest, resp: SlimeResponse) -> str:
        resp.after(failing, "x")
        resp.after(leaving)
        resp.after(called.append, "last")
        return "x"

    app.route("/")(handler_of(answer, is_async))
    with TestClient(app) as client:
        assert client.get("/").status_code == 200
        assert eventually(lambda: called == ["last"])
    assert watching.seen == [("ValueError('x')", "after", "/"), ("SystemExit(3)", "after", "/")]
    assert "resp.after: " in caplog.text
    assert "failing" in caplog.text


@ASYNC
def test_the_grace_time_of_a_stop_waits_for_functions_and_the_end_functions_come_later(is_async: bool) -> None:
    entered, release = threading.Event(), threading.Event()
    order: list[str] = []
    app = Slime(__file__)

    def slow() -> None:
        entered.set()
        release.wait(10)
        order.append("after")

    async def slow_async() -> None:
        entered.set()
        while not release.is_set():
            await asyncio.sleep(0.001)
        order.append("after")

    def answer(req: SlimeRequest, resp: SlimeResponse) -> str:
        resp.after(slow_async if is_async else slow)
        return "x"

    app.route("/")(handler_of(answer, is_async))
    app.end()(lambda error: order.append("end"))
    with TestClient(app) as client:
        client.get("/")
        assert entered.wait(10)
        app.shutdown()
        timer = threading.Timer(0.1, release.set)
        timer.start()
    assert order == ["after", "end"]


def test_functions_that_outlast_the_grace_time_are_cancelled() -> None:
    entered, order = threading.Event(), list[str]()
    app = Slime(__file__)

    async def endless() -> None:
        try:
            entered.set()
            await asyncio.sleep(3600)
        finally:
            order.append("cancelled")

    @app.route("/")
    def answer(req: SlimeRequest, resp: SlimeResponse) -> str:
        resp.after(endless)
        resp.after(order.append, "next")
        return "x"

    app.end()(lambda error: order.append("end"))
    with TestClient(app, shutdown_grace=0.2) as client:
        client.get("/")
        assert entered.wait(10)
    assert order == ["cancelled", "end"]


def test_what_after_refuses() -> None:
    failures: list[str] = []
    kept: list[SlimeResponse] = []
    app = Slime(__file__)

    async def work() -> None: ...

    @app.route("/")
    def answer(req: SlimeRequest, resp: SlimeResponse) -> str:
        kept.append(resp)
        for wrong in (work(), None):
            with pytest.raises(TypeError) as caught:
                resp.after(wrong)  # type: ignore[arg-type]
            failures.append(str(caught.value))
        return "x"

    with TestClient(app) as client:
        assert client.get("/").text == "x"
    assert all("write resp.after(function, argument)" in failure for failure in failures)
    assert len(failures) == 2
    with pytest.raises(RuntimeError, match="its handler has ended"):
        kept[0].after(print)
