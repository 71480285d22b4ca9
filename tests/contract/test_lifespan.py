"""Hooks around the life of a server."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from slimeweb import RouteSpec, ServeOption, Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.errors import PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, kind, raw, toy


def test_slime_startup_comes_first_and_slime_shutdown_last() -> None:
    events: list[str] = []
    threads: set[int] = set()

    def note(event: str) -> Any:
        def noted(app: Slime) -> None:
            events.append(event)
            threads.add(threading.get_ident())

        return noted

    def ended(app: Slime, error: BaseException | None) -> None:
        note(f"shutdown {error}")(app)

    app = app_with(
        toy("First", slime_startup=note("first"), slime_stopping=note("stopping"), slime_shutdown=ended),
        toy("Second", slime_startup=note("second")),
    )

    @app.start()
    def start() -> None:
        events.append("app.start")

    @app.start()
    async def start_async() -> None:
        events.append("async app.start")

    @app.end()
    def end(error: BaseException | None) -> None:
        events.append(f"app.end {error}")

    @app.route(path="/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        events.append("request")
        return "ok"

    with TestClient(app) as client:
        assert client.get("/").text == "ok"
    assert events == [
        "first",
        "second",
        "app.start",
        "async app.start",
        "request",
        "stopping",
        "app.end None",
        "shutdown None",
    ]
    assert threads == {threading.get_ident()}


def test_slime_startup_that_raises_ends_the_start_and_slime_shutdown_is_told() -> None:
    told: list[BaseException | None] = []

    def fail(app: Slime) -> None:
        raise OSError("no database")

    app = app_with(
        toy("Fine", slime_startup=lambda: None, slime_shutdown=lambda error: told.append(error)),
        toy("Broken", slime_startup=fail, slime_shutdown=lambda error: told.append(error)),
        toy("Late", slime_startup=lambda: None, slime_shutdown=lambda error: told.append(error)),
        toy("Watcher", slime_shutdown=lambda error: told.append(error)),
    )
    with (
        pytest.raises(PluginError, match="'Broken' failed in slime_startup: OSError: no database") as caught,
        TestClient(app),
    ):
        pass
    assert isinstance(caught.value.__cause__, OSError)
    # Neither that which failed, nor that which was not reached.
    assert told == [caught.value, caught.value]
    # The application can be served again.
    with pytest.raises(PluginError), TestClient(app):
        pass


def test_slime_shutdown_runs_when_a_start_function_fails() -> None:
    told: list[BaseException | None] = []
    app = app_with(toy("Watcher", slime_shutdown=lambda error: told.append(error)))

    @app.start()
    def start() -> None:
        raise OSError("no database")

    with pytest.raises(OSError, match="no database") as caught, TestClient(app):
        pass
    assert told == [caught.value]


@pytest.mark.parametrize("place", ["handler", "start"])
def test_what_an_application_is_shut_down_with_is_told_and_raised_in_the_end(place: str) -> None:
    told: list[BaseException | None] = []
    lost = ConnectionError("the database is gone")
    app = app_with(toy("Watcher", slime_shutdown=lambda error: told.append(error)))
    app.end()(told.append)

    @app.start()
    def start() -> None:
        if place == "start":
            app.shutdown(lost)

    @app.route(path="/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        app.shutdown(lost)
        app.shutdown(ValueError("not the first"))
        return "the last answer"

    answers: list[str] = []
    with pytest.raises(ConnectionError) as caught, TestClient(app) as client:
        answers.extend(client.get("/").text for _ in range(place == "handler"))
    assert caught.value is lost
    assert answers == (["the last answer"] if place == "handler" else [])
    assert told == [lost, lost]


@pytest.mark.parametrize(("hook", "message"), [("slime_stopping", "not ready"), ("slime_shutdown", "still open")])
def test_an_end_hook_that_raises_is_logged_and_the_others_run(
    hook: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def fail(app: Slime) -> None:
        raise OSError(message)

    app = app_with(
        toy("First", **{hook: lambda: told.append("first")}),
        toy("Broken", **{hook: fail}),
        toy("Last", **{hook: lambda: told.append("last")}),
    )
    with TestClient(app):
        pass
    assert_logged(caplog, f"'Broken' failed in {hook}: OSError: {message}")
    assert told == ["last", "first"]


def assert_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    error = record.exc_info[1]
    assert isinstance(error, PluginError)
    assert text in str(error)
    assert isinstance(error.__cause__, OSError)


def test_slime_stopping_comes_while_requests_are_in_flight() -> None:
    """A handler that would not end by itself is ended by the plugin."""
    begun, ending = threading.Event(), threading.Event()

    def wrap(route: RouteSpec, handler: Any) -> Any:
        def endless(req: SlimeRequest, resp: SlimeResponse) -> None:
            writer = resp.writer()
            writer.start()
            writer.write(b"begun")
            begun.set()
            assert ending.wait(15)
            writer.write(b", ended")

        return endless

    app = app_with(kind("endless", wrap, slime_stopping=lambda: ending.set()))
    app.route(path="/", endless=True)(lambda req, resp: None)
    with ExitStack() as stack:
        with TestClient(app, shutdown_grace=30) as client:
            wire = stack.enter_context(raw(client))
            wire.request("GET", "/")
            assert begun.wait(15)
            assert not ending.is_set()
        assert wire.answer().text == "begun, ended"


# Order, and which plugins end.


def noting(
    name: str, events: list[str], start: dict[str, Any] | None = None, end: dict[str, Any] | None = None
) -> object:
    """A plugin that notes when it is called, some of its hooks asynchronous."""

    def startup(self: object) -> None:
        events.append(f"+{name}")

    async def stopping(self: object) -> None:
        events.append(f".{name}")

    def shutdown(self: object) -> None:
        events.append(f"-{name}")

    hooks: dict[str, Any] = {
        "slime_stopping": hookimpl(**end or {})(stopping),
        "slime_shutdown": hookimpl(**end or {})(shutdown),
    }
    if start is not None:
        hooks["slime_startup"] = hookimpl(**start)(startup)
    return type(name, (), hooks)()


def test_slime_shutdown_and_slime_stopping_run_in_the_reverse_order_of_the_start() -> None:
    events: list[str] = []
    plugins = [
        noting("a", events, {}),
        noting("b", events, {"trylast": True}),
        noting("c", events),
        noting("d", events, {"tryfirst": True}),
        noting("e", events, {}, {"trylast": True}),
        noting("f", events, {}, {"tryfirst": True}),
    ]
    with TestClient(app_with(*plugins)):
        assert events == ["+d", "+a", "+e", "+f", "+b"]
    assert events[5:] == [".f", ".b", ".c", ".a", ".d", ".e", "-f", "-b", "-c", "-a", "-d", "-e"]


# async def.


def test_slime_startup_and_the_ends_may_be_coroutine_functions_and_run_on_the_first_workers_loop() -> None:
    events: list[str] = []
    loops: set[asyncio.AbstractEventLoop] = set()

    def hook(event: str) -> Any:
        async def run(self: object, app: Slime) -> None:
            loops.add(asyncio.get_running_loop())
            await asyncio.sleep(0)
            events.append(event)

        return hookimpl(run)

    names = ("slime_startup", "slime_stopping", "slime_shutdown")
    later = type("Later", (), {name: hook(name) for name in names})()
    app = app_with(later, toy("Plain", slime_startup=lambda: events.append("plain")))
    app.end()(lambda error: events.append("app.end"))

    @app.start()
    async def start() -> None:
        loops.add(asyncio.get_running_loop())

    with TestClient(app, workers=2):
        assert events == ["slime_startup", "plain"]
    assert events[2:] == ["slime_stopping", "app.end", "slime_shutdown"]
    assert len(loops) == 1


@pytest.mark.parametrize("hook", ["slime_startup", "slime_stopping", "slime_shutdown"])
@pytest.mark.parametrize("raised", [OSError, SystemExit, asyncio.CancelledError])
def test_a_coroutine_function_that_raises_in_slime_startup_or_an_end_is_named(
    hook: str, raised: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise raised

    told: list[str] = []
    app = app_with(toy("First", slime_shutdown=lambda: told.append("first")), toy("Broken", **{hook: fail}))
    if hook == "slime_startup":
        with pytest.raises(PluginError, match=r"plugin 'Broken'.* slime_startup"), TestClient(app):
            pass
    else:
        with TestClient(app):
            pass
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert "plugin 'Broken'" in record.message
        assert hook in record.message
    assert told == ["first"]


@pytest.mark.parametrize("hook", ["slime_stopping", "slime_shutdown"])
def test_an_asynchronous_end_that_does_not_return_is_cancelled_and_named(
    hook: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimeweb._server._TASKS", 0.1)
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with TestClient(app_with(toy("Endless", **{hook: hang})), shutdown_grace=0.1):
        pass
    assert f"plugin 'Endless': {hook} did not end in time, and has been cancelled" in caplog.text
    assert cancelled.wait(15)


def test_slime_stopping_as_a_coroutine_runs_where_the_loop_itself_has_begun_the_stop() -> None:
    """`app.shutdown()` in a coroutine handler: nothing may wait there for the loop that it runs on."""
    ended = threading.Event()

    async def stopping() -> None:
        await asyncio.sleep(0)
        ended.set()

    app = app_with(toy("Later", slime_stopping=stopping))

    @app.route("/")
    async def stop(req: SlimeRequest, resp: SlimeResponse) -> str:
        app.shutdown()
        return "stopping"

    with TestClient(app) as client:
        assert client.get("/").text == "stopping"
        assert ended.wait(15)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_slime_startup_has_wrappers_around_it_that_wait_for_it(kind: str) -> None:
    events: list[str] = []

    async def later() -> None:
        await asyncio.sleep(0)
        events.append("start")

    class Wrapper:
        @hookimpl(wrapper=True)
        def slime_startup(self) -> Any:
            events.append("before")
            yield
            events.append("after")

    own = toy("Own", slime_startup=later if kind == "async def" else lambda: events.append("start"))
    with TestClient(app_with(own, Wrapper())):
        assert events == ["before", "start", "after"]


# The last chance to declare.


def test_slime_ready_has_what_other_plugins_add_and_what_the_application_declares() -> None:
    seen: list[Any] = []

    def ready(app: Slime) -> None:
        seen.append((app.page, [route.path for route in app.routes], app.dev, app.serve_options["depth"]))
        app.route(path="/late")(lambda req, resp: "late")
        app.middle_after(path="*", method="*")(lambda req, resp: resp.set_header("X-Late", "yes"))
        app.error(KeyError)(lambda req, resp, exc: resp.plain("no such key", status=404))
        app.start()(lambda: seen.append("started"))

    app = app_with(
        toy("Early", slime_ready=ready),
        toy("Pages", slime_app_members=lambda: {"page": 7}, slime_serve_options=lambda: [ServeOption("depth", 1, int)]),
    )

    @app.route("/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        raise KeyError

    for _ in range(2):
        with TestClient(app, dev=True, depth="3") as client:
            late, wrong = client.get("/late"), client.get("/")
            assert (late.text, late.headers["x-late"], wrong.status_code) == ("late", "yes", 404)
    # Once, however often it is served; the start function each time.
    assert seen == [(7, ["/"], True, 3), "started", "started"]
    assert [route.path for route in app.routes] == ["/", "/late"]


def test_slime_ready_that_fails_leaves_nothing_behind() -> None:
    attempts: list[int] = []

    def ready(app: Slime) -> None:
        attempts.append(1)
        app.route(path="/late")(lambda req, resp: "late")
        app.error(404)(lambda req, resp, exc: resp.plain("nothing"))
        if len(attempts) == 1:
            raise OSError("not yet")

    app = app_with(toy("Hesitant", slime_ready=ready))
    with pytest.raises(PluginError, match="'Hesitant' failed in slime_ready: OSError: not yet"), TestClient(app):
        pass
    assert app.routes == ()
    with TestClient(app) as client:
        assert client.get("/late").text == "late"


def test_slime_ready_is_named_when_it_declares_what_is_taken() -> None:
    app = app_with(toy("Thief", slime_ready=lambda app: app.route(path="/")(lambda req, resp: "mine") and None))
    app.route(path="/")(lambda req, resp: "yours")
    match = "'Thief' failed in slime_ready: MultipleRouteException: GET / has two"
    with pytest.raises(PluginError, match=match), TestClient(app):
        pass
