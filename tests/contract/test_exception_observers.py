"""`slime_exception`: what plugins are shown of failures, and by whom."""

from __future__ import annotations

import asyncio
import gc
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import ClientDisconnected, HttpError, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import PluginError
from slimeweb.testing import TestClient
from slimeweb.tls import SlimeTls
from support.certificate import self_signed
from support.condition import eventually
from support.http2 import Http2, Reset
from support.toys import app_with, kind, raw, switched, toy


class Busy(Exception): ...


class Seen(list[tuple[str, str, str | None]]):
    """What an observer was shown: the place, the exception, the request's path."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[int] = []

    def plugin(self, name: str = "Observer") -> object:
        return toy(name, slime_exception=lambda app, req, exc, where: self.note(app, req, exc, where))

    def note(self, app: Slime, req: SlimeRequest | None, exc: BaseException, where: str) -> None:
        assert isinstance(app, Slime)
        self.append((where, repr(exc), None if req is None else req.path))
        self.threads.append(threading.get_ident())


class Asking:
    """Asks a server over one version of HTTP, on a connection for each request."""

    def __init__(self, client: TestClient, version: str) -> None:
        self.client, self.version = client, version

    def __call__(self, path: str, method: str = "GET") -> int | str:
        """The status, `cut` where the answer has no end."""
        try:
            if self.version == "2":
                with Http2.tls("127.0.0.1", self.client.port) as connection:
                    return connection.ask(method, path).status
            with raw(self.client) as wire:
                wire.request(method, path)
                return wire.answer(to=method).status
        except (EOFError, ConnectionResetError, Reset):
            return "cut"


@pytest.fixture(params=["1.1", "2"])
def asking(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[TestClient], Asking]:
    return lambda client: Asking(client, request.param)


@pytest.fixture
def arguments(asking: Callable[..., Asking], tmp_path: Path) -> dict[str, Any]:
    version = asking(None).version  # type: ignore[arg-type]
    return {"https": SlimeTls(*self_signed(tmp_path))} if version == "2" else {}


def declare(app: Slime, path: str, function: Callable[[SlimeRequest, SlimeResponse], Any], **options: Any) -> None:
    """The same handler twice: plain, and below `/async` as a coroutine function."""

    async def coro(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return function(req, resp)

    app.route(path, **options)(function)
    app.route(f"/async{path}", **options)(coro)


BOTH = ("", "/async")


def raising(error: BaseException) -> Callable[[Any, Any], Any]:
    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise error

    return fail


@pytest.mark.parametrize("prefix", BOTH)
def test_slime_exception_shows_what_a_handler_raises_once_whoever_answers_it(
    prefix: str, asking: Callable[..., Asking], arguments: dict[str, Any]
) -> None:
    seen = Seen()
    app = app_with(seen.plugin(), toy("Answers", slime_handle_exception=lambda exc: "x" if exc.args == (2,) else None))
    for number in range(3):
        declare(app, f"/{number}", raising(Busy(number)))
    declare(app, "/http", raising(HttpError(418)))
    app.error(Busy)(lambda req, resp, exc: resp.plain("busy", status=503)) if prefix else None
    with TestClient(app, **arguments) as client:
        ask = asking(client)
        statuses = [ask(f"{prefix}/{name}") for name in ("0", "2", "http", "nowhere")]
    assert statuses == ([503, 503, 418, 404] if prefix else [500, 500, 418, 404])
    assert seen == [
        ("handler", "Busy(0)", f"{prefix}/0"),
        ("handler", "Busy(2)", f"{prefix}/2"),
        ("handler", "HttpError(418, '')", f"{prefix}/http"),
    ]


@pytest.mark.parametrize("prefix", BOTH)
def test_a_stream_is_seen_that_raises_after_its_head_and_not_one_whose_client_leaves(
    prefix: str, asking: Callable[..., Asking], arguments: dict[str, Any]
) -> None:
    seen = Seen()
    app = app_with(seen.plugin())
    left = threading.Event()

    def begin(resp: SlimeResponse) -> Any:
        writer = resp.writer()
        writer.start()
        writer.try_write(b"one")
        return writer

    def cut(req: SlimeRequest, resp: SlimeResponse) -> None:
        begin(resp)
        raise Busy

    declare(app, "/cut", cut)

    @app.route("/left")
    def endless(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = begin(resp)
        try:
            while True:
                writer.write(b"x" * 10_000)
        except ClientDisconnected:
            left.set()
            raise

    @app.route("/async/left")
    async def endless_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        begin(resp)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            left.set()
            raise

    with TestClient(app, **arguments) as client:
        ask = asking(client)
        assert ask(f"{prefix}/cut") == "cut"
        if ask.version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                connection.head(connection.begin("GET", f"{prefix}/left"))
        else:
            with raw(client) as wire:
                wire.request("GET", f"{prefix}/left")
                wire._until(b"\r\n\r\n")
        assert left.wait(10)
    assert seen == [("stream", "Busy()", f"{prefix}/cut")]


def test_an_upload_whose_client_leaves_is_not_seen() -> None:
    seen = Seen()
    app = app_with(seen.plugin())
    raised: queue.Queue[BaseException] = queue.Queue()

    @app.route("/", method="POST", stream_body=True)
    def take(req: SlimeRequest, resp: SlimeResponse) -> None:
        try:
            list(req.chunks())
        except ClientDisconnected as error:
            raised.put(error)
            raise

    @app.route("/async", method="POST", stream_body=True)
    async def take_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        try:
            async for _ in req.chunks():
                pass
        except ClientDisconnected as error:
            raised.put(error)
            raise

    with TestClient(app) as client:
        for path in ("/", "/async"):
            with raw(client) as wire:
                wire.request("POST", path, headers={"Content-Length": "10"})
                wire.send(b"half")
            assert isinstance(raised.get(timeout=10), HttpError)
    assert seen == []


class After(SlimeMiddleware):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        raise self.error


class Before(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        raise Busy("before")


@pytest.mark.parametrize("prefix", BOTH)
@pytest.mark.parametrize("stream", [False, True])
def test_middleware_is_seen(prefix: str, stream: bool) -> None:
    seen = Seen()

    def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        if not stream:
            return "hello"
        resp.writer().start()
        return None

    app = app_with(seen.plugin())
    declare(app, "/after", handler, plugin=After(Busy("after")))
    declare(app, "/before", handler, plugin=Before())
    with TestClient(app) as client:
        assert client.get(f"{prefix}/after").status_code == (200 if stream else 500)
        assert client.get(f"{prefix}/before").status_code == 500
    assert seen == [
        ("middleware", "Busy('after')", f"{prefix}/after"),
        ("handler", "Busy('before')", f"{prefix}/before"),
    ]


@pytest.mark.parametrize("prefix", BOTH)
def test_error_handlers_are_seen_that_fail(prefix: str) -> None:
    seen = Seen()
    again = Busy("again")

    def fail(exc: BaseException) -> None:
        if exc.args == ("plugin",):
            raise OSError("in the plugin")

    app = app_with(seen.plugin(), toy("Broken", slime_handle_exception=fail))
    declare(app, "/other", raising(KeyError(1)))
    declare(app, "/same", raising(again))
    declare(app, "/plugin", raising(RuntimeError("plugin")))

    @app.error(LookupError)
    def other(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        raise HttpError(503) from exc

    @app.error(Busy)
    def same(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        raise exc

    with TestClient(app) as client:
        assert [client.get(f"{prefix}/{name}").status_code for name in ("other", "same", "plugin")] == [503, 500, 500]
    blamed = "plugin 'Broken' failed in slime_handle_exception: OSError: in the plugin"
    assert seen == [
        ("handler", "KeyError(1)", f"{prefix}/other"),
        ("error handler", "HttpError(503, '')", f"{prefix}/other"),
        ("handler", "Busy('again')", f"{prefix}/same"),
        ("handler", "RuntimeError('plugin')", f"{prefix}/plugin"),
        ("error handler", repr(PluginError(blamed)), f"{prefix}/plugin"),
    ]


class Encoder:
    def __init__(self, failing: str) -> None:
        self.failing = failing

    def push(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        raise Busy(self.failing)


@pytest.mark.parametrize("prefix", BOTH)
def test_body_filters_are_seen_that_fail(
    prefix: str, asking: Callable[..., Asking], arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Filter:
        def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Encoder:
            return Encoder(request.path)

    seen = Seen()
    app = app_with(seen.plugin(), toy("Filters", slime_body_filter=lambda route: Filter()))
    declare(app, "/whole", lambda req, resp: "hello")
    declare(app, "/stream", lambda req, resp: resp.writer().start())
    with TestClient(app, **arguments) as client:
        ask = asking(client)
        assert [ask(f"{prefix}/whole"), ask(f"{prefix}/stream")] == [500, "cut"]
    paths = [f"{prefix}/whole", f"{prefix}/stream"]
    assert seen == [("filter", f"Busy('{path}')", path) for path in paths]
    logged = [record for record in caplog.records if record.exc_info and isinstance(record.exc_info[1], Busy)]
    assert len(logged) == 2


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("prefix", BOTH)
def test_a_filter_that_fails_at_a_stream_is_seen_once_and_its_answer_is_not_filtered(
    prefix: str, is_async: bool, asking: Callable[..., Asking], arguments: dict[str, Any]
) -> None:
    class Filter:
        def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Encoder:
            if "begin" in request.path:
                raise Busy(request.path)
            return Encoder(request.path)

    async def pieces() -> AsyncIterator[str]:
        yield "one"

    seen = Seen()
    app = app_with(seen.plugin(), toy("Filters", slime_body_filter=lambda route: Filter()))
    for path in ("/begin", "/end"):
        declare(app, path, lambda req, resp: resp.stream(pieces() if is_async else iter(["one"])))
    with TestClient(app, **arguments) as client:
        ask = asking(client)
        assert [ask(f"{prefix}/begin"), ask(f"{prefix}/end")] == [500, "cut"]
    assert seen == [("filter", f"Busy('{path}')", path) for path in (f"{prefix}/begin", f"{prefix}/end")]


@pytest.mark.parametrize("prefix", BOTH)
def test_every_function_for_heads_is_seen_that_fails(prefix: str) -> None:
    def head(error: BaseException) -> object:
        def change(req: SlimeRequest, resp: SlimeResponse) -> None:
            raise error

        return toy(f"Head{error}", slime_response_head=lambda route: change)

    seen = Seen()
    app = app_with(seen.plugin(), head(Busy(1)), head(Busy(2)))
    declare(app, "/", lambda req, resp: "hello")
    with TestClient(app) as client:
        assert client.get(f"{prefix}/").status_code == 500
    assert sorted((where, "Head1" in exc, path) for where, exc, path in seen) == [
        ("head", False, f"{prefix}/"),
        ("head", True, f"{prefix}/"),
    ]


class Protocol:
    """Fails in one of its methods, or has its transport call what fails."""

    def __init__(self, failing: str) -> None:
        self.failing = failing
        self.lost = threading.Event()

    def fail(self, *arguments: Any) -> None:
        raise Busy(self.failing)

    def connection_made(self, transport: Any) -> None:
        if self.failing.startswith("call"):
            getattr(transport, self.failing)(self.fail)
        elif self.failing == "connection_made":
            self.fail()

    def data_received(self, data: bytes) -> None:
        if self.failing == "data_received":
            self.fail()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if self.failing == "connection_lost":
            self.fail()


@pytest.mark.parametrize("prefix", BOTH)
@pytest.mark.parametrize(
    "failing", ["connection_made", "data_received", "connection_lost", "call_soon", "call_plain", "call_in_pool"]
)
def test_protocols_are_seen_that_fail(prefix: str, failing: str, unraisable: list[str]) -> None:
    seen = Seen()
    protocol = Protocol(failing)
    app = app_with(seen.plugin())
    declare(app, "/", lambda req, resp: resp.switch_protocol(protocol, [("Upgrade", "toy/1")]))
    with TestClient(app) as client:
        with switched(client, f"{prefix}/") as wire:
            wire.send(b"x")
            if failing != "connection_lost":
                eventually(lambda: seen)
        assert protocol.lost.wait(10)
        eventually(lambda: unraisable)
    assert seen == [("protocol", f"Busy('{failing}')", f"{prefix}/")]
    assert unraisable == [f"Busy: {failing}"]


@pytest.mark.parametrize("prefix", BOTH)
def test_a_protocol_is_seen_that_fails_as_it_hears_that_it_gets_no_connection(
    prefix: str, unraisable: list[str]
) -> None:
    seen = Seen()
    app = app_with(seen.plugin())
    protocol = Protocol("connection_lost")
    declare(app, "/", lambda req, resp: resp.switch_protocol(protocol, [("Upgrade", "toy/1")]))
    with TestClient(app) as client:
        assert client.get(f"{prefix}/").status_code == 426
        eventually(lambda: unraisable)
    assert [(where, exc) for where, exc, _ in seen if where == "protocol"] == [("protocol", "Busy('connection_lost')")]


def test_what_nobody_awaits_is_seen() -> None:
    seen = Seen()
    app = app_with(seen.plugin())

    async def fail() -> None:
        raise Busy("a task")

    def call() -> None:
        raise Busy("a callback")

    @app.route("/")
    async def spawn(req: SlimeRequest, resp: SlimeResponse) -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        loop.call_soon(call)
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        return "done"

    with TestClient(app) as client:
        assert client.get("/").text == "done"
        eventually(lambda: gc.collect() is not None and len(seen) == 2)
    assert sorted(seen) == [("background", "Busy('a callback')", None), ("background", "Busy('a task')", None)]


def test_what_would_end_the_event_loop_is_seen() -> None:
    seen = Seen()
    app = app_with(seen.plugin())

    def leave() -> None:
        raise SystemExit(3)

    @app.route("/")
    async def call(req: SlimeRequest, resp: SlimeResponse) -> str:
        asyncio.get_running_loop().call_soon(leave)
        return "done"

    with TestClient(app) as client:
        assert client.get("/").text == "done"
        eventually(lambda: seen)
        assert client.get("/").text == "done"
        eventually(lambda: len(seen) == 2)
    assert seen == [("background", "SystemExit(3)", None)] * 2


def test_start_and_end_functions_are_seen() -> None:
    seen = Seen()

    def stop() -> None:
        raise OSError("stopping")

    def shut_down() -> None:
        raise OSError("shutdown")

    app = app_with(seen.plugin(), toy("Ends", slime_stopping=stop, slime_shutdown=shut_down))

    @app.end()
    def end(error: object) -> None:
        raise Busy("end")

    with TestClient(app):
        pass
    assert [where for where, _, _ in seen] == ["end"] * 3
    assert ["stopping" in seen[0][1], seen[1][1], "shutdown" in seen[2][1]] == [True, "Busy('end')", True]


@pytest.mark.parametrize("kind_of_start", ["plain", "coroutine", "plugin"])
def test_a_start_that_fails_is_seen_once(kind_of_start: str) -> None:
    seen = Seen()

    def fail() -> None:
        raise Busy("start")

    async def fail_async() -> None:
        raise Busy("start")

    hooks = {"slime_startup": fail} if kind_of_start == "plugin" else {}
    app = app_with(seen.plugin(), toy("Starts", **hooks))
    if not hooks:
        app.start()(fail if kind_of_start == "plain" else fail_async)

    @app.end()
    def end(error: BaseException) -> None:
        raise error

    with pytest.raises((Busy, PluginError)), TestClient(app):
        pass
    ((where, exc, path),) = seen
    assert (where, "start" in exc, path) == ("start", True, None)


@pytest.mark.parametrize("prefix", BOTH)
@pytest.mark.parametrize("raised", [OSError("full"), SystemExit(3)], ids=repr)
def test_an_observer_that_raises_is_named_in_the_log_and_changes_nothing(
    prefix: str, raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(exc: BaseException) -> None:
        raise raised

    seen = Seen()
    app = app_with(toy("Broken", slime_exception=fail), seen.plugin())
    declare(app, "/", raising(Busy("why")))
    app.error(Busy)(lambda req, resp, exc: resp.plain("busy", status=503))
    with TestClient(app) as client:
        answer = client.get(f"{prefix}/")
        assert (answer.status_code, answer.text) == (503, "busy")
    assert seen == [("handler", "Busy('why')", f"{prefix}/")]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("plugin 'Broken' failed in slime_exception: ")


def test_an_exception_is_shown_on_the_thread_of_its_handler() -> None:
    seen = Seen()
    app = app_with(seen.plugin())
    threads = []

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        threads.append(threading.get_ident())
        raise Busy

    declare(app, "/", fail)
    with TestClient(app) as client:
        client.get("/")
        client.get("/async/")
    assert seen.threads == threads
    assert len(set(threads)) == 2


def test_one_object_that_many_requests_raise_is_shown_for_each() -> None:
    seen = Seen()
    app = app_with(seen.plugin())
    declare(app, "/", raising(HttpError(404)))
    with TestClient(app) as client:
        for _ in range(3):
            client.get("/")
    assert len(seen) == 3


class Frozen(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


@pytest.mark.parametrize("error", [Busy("mail"), Frozen("mail")], ids=repr)
def test_what_is_reported_is_shown_once_with_the_words_of_who_reports(error: BaseException) -> None:
    seen = Seen()
    app = app_with(seen.plugin())
    app.report_exception(error, "mail")
    app.report_exception(error, "mail")
    app.report_exception(Busy("other"))
    assert seen == [("mail", repr(error), None), ("background", "Busy('other')", None)]
    assert Slime(__file__).report_exception(Busy("nobody")) is None


def test_a_kind_of_route_that_reports_and_raises_is_seen_once() -> None:
    def wrap(route: object, handler: Callable[..., Any]) -> Callable[..., Any]:
        def reporting(req: SlimeRequest, resp: SlimeResponse) -> Any:
            try:
                return handler(req, resp)
            except Busy as error:
                req.app.report_exception(error, "toy", req)
                raise

        return reporting

    seen = Seen()
    app = app_with(seen.plugin(), kind("toyish", wrap))
    app.route("/", toyish=True)(raising(Busy("why")))
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert seen == [("toy", "Busy('why')", "/")]
