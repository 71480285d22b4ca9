"""`middle_around`: a generator around the handler, plain and asynchronous, over both versions of HTTP."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from slimeweb import BodyWriter, HttpError, Router, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.errors import InvalidHandler, InvalidMiddlewareHandlerType, PluginError
from slimeweb.testing import TestClient
from support.condition import eventually
from support.versions import VERSIONS, Ask, served
from support.wire import Wire

KINDS = ["plain", "plain around coroutine", "async"]
"""What the handler is, and what is around it."""

Around = Callable[[SlimeRequest, SlimeResponse], Any]


def as_async(around: Around) -> Callable[[SlimeRequest, SlimeResponse], AsyncIterator[Any]]:
    """The same as an asynchronous generator, which waits on the way in and out."""

    async def generator(req: SlimeRequest, resp: SlimeResponse) -> AsyncIterator[Any]:
        inner = around(req, resp)
        try:
            await asyncio.sleep(0)
            value = next(inner)
        except StopIteration:
            return
        while True:
            try:
                yield value
            except BaseException as error:
                try:
                    value = inner.throw(error)
                except StopIteration:
                    return
            else:
                await asyncio.sleep(0)
                try:
                    value = next(inner)
                except StopIteration:
                    return

    return generator


def middleware(around: Around, kind: str, **attributes: Any) -> SlimeMiddleware:
    """Of one method."""
    name, generator = ("middle_around_async", as_async(around)) if kind == "async" else ("middle_around", around)
    method = functools.wraps(generator)(lambda self, req, resp: generator(req, resp))
    made: type[SlimeMiddleware] = type("Around", (SlimeMiddleware,), {name: method} | attributes)
    return made()


def handler_of(function: Callable[[SlimeRequest, SlimeResponse], Any], kind: str) -> Any:
    if kind == "plain":
        return function

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        await asyncio.sleep(0)
        return function(req, resp)

    return handler


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def asking(app: Slime, version: str, folder: Path) -> Iterator[Ask]:
    with served(app, version, folder, workers=2) as ask:
        yield ask


def test_it_runs_before_and_after_the_handler(kind: str, version: str, tmp_path: Path) -> None:
    def mark(name: str) -> Around:
        def around(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
            resp.add_header("X-In", name)
            yield
            resp.add_header("X-Out", f"{name} {resp.status}")

        return around

    app = Slime(__file__)
    guards = [middleware(mark(name), kind) for name in ("a", "b")]
    app.route("/", plugin=guards)(handler_of(lambda req, resp: "hello", kind))
    with asking(app, version, tmp_path) as ask:
        for _ in range(3):
            answer = ask("GET", "/")
            assert (answer.status, answer.text) == (200, "hello")
            assert (answer.header_all("x-in"), answer.header_all("x-out")) == (["a", "b"], ["b 200", "a 200"])


@pytest.mark.parametrize("how", ["yields", "fills"])
def test_an_answer_of_its_own_ends_the_request(kind: str, version: str, how: str, tmp_path: Path) -> None:
    ran: list[str] = []

    def guard(req: SlimeRequest, resp: SlimeResponse) -> Iterator[Any]:
        if how == "fills":
            resp.plain("no", status=403)
            yield
        else:
            yield resp.plain("no", status=403)
        ran.append(f"out {resp.status}")

    def inside(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        ran.append("inside")
        yield

    app = Slime(__file__)
    app.route("/", plugin=[middleware(guard, kind), middleware(inside, kind)])(
        handler_of(lambda req, resp: ran.append("handler"), kind)
    )
    with asking(app, version, tmp_path) as ask:
        assert (ask("GET", "/").status, ask("GET", "/").text) == (403, "no")
    assert ran == ["out 403"] * 2


def test_what_is_raised_is_raised_at_each_yield_from_the_inside_out(kind: str, version: str, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(name: str) -> Around:
        def around(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
            try:
                yield
            except ValueError as error:
                seen.append(f"{name} {error} {resp.status if resp.is_set else None}")
                raise

        return around

    class After(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            seen.append(f"after {resp.status}")

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise ValueError("x")

    app = Slime(__file__)
    app.error(ValueError)(lambda req, resp, exc: resp.plain("value", status=422))
    guards = [middleware(look("outer"), kind), After(), middleware(look("inner"), kind)]
    app.route("/", plugin=guards)(handler_of(fail, kind))
    with asking(app, version, tmp_path) as ask:
        answer = ask("GET", "/")
    assert (answer.status, answer.text) == (422, "value")
    assert seen == ["inner x None", "after 422", "outer x 422"]


def test_an_exception_that_is_swallowed_leaves_the_response_as_it_stands(
    kind: str, version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def swallow(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        try:
            yield
        except ValueError:
            if req.path == "/filled":
                resp.plain("it is fine", status=202)

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        if req.path == "/set":
            resp.plain("so far", status=201)
        raise ValueError("x")

    app = Slime(__file__)
    for path in ("/filled", "/set", "/none"):
        app.route(path)(handler_of(fail, kind))
    app.use(middleware(swallow, kind))
    with asking(app, version, tmp_path) as ask:
        assert [(ask("GET", path).status, ask("GET", path).text) for path in ("/filled", "/set", "/none")] == [
            (202, "it is fine"),
            (201, "so far"),
            (500, "Internal Server Error"),
        ]
    assert "swallowed an exception, and there is no answer" in caplog.text
    assert "ValueError: x" in caplog.text, "the exception itself, as the cause"


def test_another_exception_takes_the_place_of_the_first(kind: str, version: str, tmp_path: Path) -> None:
    def translate(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        try:
            yield
        except KeyError as error:
            raise HttpError(404, f"no {error.args[0]}") from error

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise KeyError("cake")

    app = Slime(__file__)
    app.route("/", plugin=middleware(translate, kind))(handler_of(fail, kind))
    with asking(app, version, tmp_path) as ask:
        assert (ask("GET", "/").status, ask("GET", "/").text) == (404, "no cake")


def test_what_an_after_part_raises_travels_outwards(kind: str, tmp_path: Path) -> None:
    def broken(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield
        raise ValueError("late")

    def outer(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            resp.plain(f"outer saw {error}", status=418)

    app = Slime(__file__)
    app.route("/", plugin=[middleware(outer, kind), middleware(broken, kind)])(
        handler_of(lambda req, resp: "hello", kind)
    )
    with TestClient(app) as client:
        assert client.get("/").text == "outer saw late"


@pytest.mark.parametrize("yields", [0, 2])
@pytest.mark.parametrize("raises", [False, True])
def test_it_has_to_yield_once(kind: str, yields: int, raises: bool, caplog: pytest.LogCaptureFixture) -> None:
    closed: list[bool] = []

    def around(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        try:
            for _ in range(yields):
                with suppress(ValueError):
                    yield
        finally:
            closed.append(True)

    def handle(req: SlimeRequest, resp: SlimeResponse) -> str:
        if raises:
            raise ValueError("x")
        return "hello"

    app = Slime(__file__)
    app.route("/", plugin=middleware(around, "plain" if kind == "plain" else kind))(handler_of(handle, kind))
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert closed == [True]
    if kind != "async" or yields:
        assert ("ended without a yield" if yields == 0 else "yielded twice") in caplog.text


def test_coroutine_routes_take_the_asynchronous_half() -> None:
    class Both(SlimeMiddleware):
        def middle_around(self, req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
            yield
            resp.set_header("X-Half", "plain")

        async def middle_around_async(self, req: SlimeRequest, resp: SlimeResponse) -> AsyncIterator[None]:
            yield
            resp.set_header("X-Half", "async")

    app = Slime(__file__)
    app.route("/plain")(handler_of(lambda req, resp: "", "plain"))
    app.route("/async")(handler_of(lambda req, resp: "", "async"))
    app.use(Both())
    with TestClient(app) as client:
        assert [client.get(path).headers["x-half"] for path in ("/plain", "/async", "/nowhere")] == [
            "plain",
            "async",
            "plain",
        ]


class OnlyAsync(SlimeMiddleware):
    async def middle_around_async(self, req: SlimeRequest, resp: SlimeResponse) -> AsyncIterator[None]:
        yield


class AsyncName(SlimeMiddleware):
    async def middle_around(self, req: SlimeRequest, resp: SlimeResponse) -> AsyncIterator[None]:
        yield


class NoYield(SlimeMiddleware):
    def middle_around(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        pass


class PlainAsync(SlimeMiddleware):
    def middle_around_async(self, req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield


class Mistyped(SlimeMiddleware):
    def around(self, req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    ("around", "message"),
    [
        (OnlyAsync(), "OnlyAsync has middle_around_async alone and cannot serve the plain def .*: give it a plain"),
        (AsyncName(), "AsyncName.middle_around is async def and cannot serve the plain def"),
        (NoYield(), "NoYield.middle_around needs a generator function; .* has no yield: write yield once"),
        (PlainAsync(), "PlainAsync.middle_around_async is a plain def: make it async def"),
        (Mistyped(), "Mistyped.around would never run: name it middle_around"),
    ],
)
def test_what_cannot_be_is_refused_at_its_declaration(around: SlimeMiddleware, message: str) -> None:
    with pytest.raises(InvalidMiddlewareHandlerType, match=message):
        Slime(__file__).route("/", plugin=around)(lambda req, resp: "")


def test_functions_run_around_the_handlers_of_a_path(kind: str) -> None:
    order: list[str] = []

    def outer(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        order.append("around in")
        yield
        order.append("around out")

    app = Slime(__file__)
    is_async = kind != "plain"
    app.route("/")(handler_of(lambda req, resp: order.append("handler"), kind))
    app.middle_before("/")(handler_of(lambda req, resp: order.append("before"), kind))
    app.middle_around("/")(as_async(outer) if is_async else outer)
    with TestClient(app) as client:
        client.get("/")
    assert order == ["around in", "before", "handler", "around out"]
    assert [each.position for each in app.registrations] == ["before", "around"]
    with pytest.raises(InvalidMiddlewareHandlerType, match=r"needs (async def|a plain def) like its handler"):
        app.middle_around("/")(outer if is_async else as_async(outer))


def test_a_router_has_it_for_its_routes(kind: str) -> None:
    def mark(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield
        resp.set_header("X-Around", "router")

    router, app = Router("/inside"), Slime(__file__)
    router.get("")(handler_of(lambda req, resp: "", kind))
    router.middle_around()(mark if kind == "plain" else as_async(mark))
    app.include(router)
    app.get("/outside")(handler_of(lambda req, resp: "", kind))
    with TestClient(app) as client:
        assert client.get("/inside").headers["x-around"] == "router"
        assert "x-around" not in client.get("/outside").headers


def test_a_function_without_a_yield_is_refused() -> None:
    app = Slime(__file__)
    app.route("/")(lambda req, resp: "")
    with pytest.raises(InvalidHandler, match=r"middle_around needs a generator function; .* has no yield"):
        app.middle_around("/")(lambda req, resp: None)
    with pytest.raises(InvalidHandler, match=r"write @app.middle_around\(path=\"/\"\)"):
        app.middle_around(lambda req, resp: None)  # type: ignore[arg-type]


def test_what_a_decorator_has_wrapped_is_taken() -> None:
    def around(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield
        resp.set_header("X-Around", "1")

    @functools.wraps(around)
    def wrapped(*args: Any) -> Iterator[None]:
        return around(*args)

    app = Slime(__file__)
    app.route("/")(lambda req, resp: "")
    app.middle_around("/")(wrapped)
    with TestClient(app) as client:
        assert client.get("/").headers["x-around"] == "1"


def test_refusals_options_and_static_files_are_inside_of_it(kind: str, version: str, tmp_path: Path) -> None:
    def mark(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield
        resp.set_header("X-Around", str(resp.status))

    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("a file")
    app = Slime(tmp_path / "app.py")
    app.route("/")(handler_of(lambda req, resp: "hello", kind))
    app.static_route("/files", "static")
    app.use(middleware(mark, kind, covers_files=True))
    asked = [("GET", "/nowhere", "404"), ("POST", "/", "405"), ("OPTIONS", "/", "204"), ("GET", "/files/a.txt", "200")]
    with asking(app, version, tmp_path) as ask:
        assert [ask(method, path).header("x-around") for method, path, _ in asked] == [each[2] for each in asked]


def test_a_stream_and_its_failure_are_inside_of_it(kind: str, version: str, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            seen.append(f"{error} {resp.started}")
        else:
            seen.append("done")

    def write(writer: BodyWriter, fails: bool) -> None:
        writer.start()
        writer.try_write(b"some")
        if fails:
            raise ValueError("cut")
        writer.close()

    app = Slime(__file__)
    for path in ("/whole", "/cut"):
        app.route(path, plugin=middleware(look, kind))(
            handler_of(lambda req, resp: write(resp.writer(), req.path == "/cut"), kind)
        )
    with asking(app, version, tmp_path) as ask:
        assert ask("GET", "/whole").text == "some"
    with TestClient(app) as client, pytest.raises(Exception, match=r"(?i)incomplete|peer closed|reset"):
        client.get("/cut")
    assert seen == ["done", "cut True"], "swallowing does not make a body whole that was cut"


@pytest.mark.parametrize("around", ["plain", "async"])
def test_a_cancellation_is_raised_at_the_yield(around: str, tmp_path: Path) -> None:
    ended: list[str] = []
    began = []

    def look(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    async def write(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        writer.try_write(b"x" * 10)
        began.append(True)
        await asyncio.sleep(3600)

    app = Slime(__file__)
    app.route("/", plugin=middleware(look, around))(write)
    with TestClient(app) as client:
        with Wire.tcp("127.0.0.1", client.port) as wire:
            wire.request("GET", "/")
            assert eventually(lambda: began)
        assert eventually(lambda: ended == ["CancelledError"])


def test_a_timeout_around_the_yield_answers_for_a_slow_handler(version: str, tmp_path: Path) -> None:
    class Timeout(SlimeMiddleware):
        async def middle_around_async(self, req: SlimeRequest, resp: SlimeResponse) -> AsyncIterator[None]:
            try:
                async with asyncio.timeout(0.05):
                    yield
            except TimeoutError:
                resp.plain("too slow", status=504)

    async def slow(req: SlimeRequest, resp: SlimeResponse) -> None:
        await asyncio.sleep(3600)

    app = Slime(__file__)
    app.route("/", plugin=Timeout())(slow)
    with asking(app, version, tmp_path) as ask:
        assert [(ask("GET", "/").status, ask("GET", "/").text) for _ in range(2)] == [(504, "too slow")] * 2


@pytest.mark.parametrize("hook", ["slime_middleware", "slime_app_middleware"])
def test_plugins_bring_it(kind: str, hook: str) -> None:
    def mark(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield
        resp.set_header("X-Around", "plugin")

    class Plugin:
        name = "marking"

        def __init__(self, kind: str) -> None:
            self.kind = kind

    setattr(Plugin, hook, hookimpl(specname=hook)(lambda self: [middleware(mark, self.kind)]))
    app = Slime(__file__, plugins=[Plugin(kind)])
    app.route("/")(handler_of(lambda req, resp: "", kind))
    with TestClient(app) as client:
        assert client.get("/").headers["x-around"] == "plugin"
    app = Slime(__file__, plugins=[Plugin("async")])
    app.route("/")(lambda req, resp: "")
    with pytest.raises(PluginError, match="Around has middle_around_async alone"), TestClient(app):
        pass


def test_other_stacks_are_what_they_were() -> None:
    from slimeweb._middleware_stack import Layer, build_middleware_stack

    def nothing(req: object, resp: object, error: object = None) -> None:
        pass

    def around(req: object, resp: object) -> Iterator[None]:
        yield

    without = build_middleware_stack([Layer(nothing)], nothing, nothing, nothing, is_async=False)
    inside = build_middleware_stack([Layer(around=around)], nothing, nothing, nothing, is_async=False)
    assert without.__module__ == "slimeweb._middleware_stack"
    assert inside.__module__ == "slimeweb._around_stack"


@pytest.mark.parametrize("replaced", [False, True])
def test_what_has_been_raised_is_released_without_the_collector(
    kind: str, replaced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Failure(Exception):
        pass

    raised: list[weakref.ref[Failure]] = []

    def failure() -> Failure:
        made = Failure()
        raised.append(weakref.ref(made))
        return made

    def look(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        try:
            yield
        except Failure as error:
            if replaced:
                raise failure() from error
            raise

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise failure()

    # Records keep the exceptions they are about.
    caplog.set_level(logging.CRITICAL + 1, "slimeweb")
    app = Slime(__file__)
    app.route("/", plugin=middleware(look, kind))(handler_of(fail, kind))
    gc.collect()
    gc.disable()
    try:
        with TestClient(app) as client:
            assert client.get("/").status_code == 500
            assert eventually(lambda: not any(each() for each in raised))
    finally:
        gc.enable()
    assert len(raised) == 1 + replaced
