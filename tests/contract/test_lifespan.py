"""Hooks around the life of a server."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from slimeweb import RouteSpec, Slime, SlimeRequest, SlimeResponse
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
    )
    with (
        pytest.raises(PluginError, match="'Broken' failed in slime_startup: OSError: no database") as caught,
        TestClient(app),
    ):
        pass
    assert isinstance(caught.value.__cause__, OSError)
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
    assert told == ["first", "last"]


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
