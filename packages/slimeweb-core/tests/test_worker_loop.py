"""Coroutine handlers: their outcome is the answer, and what they began is ended."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import Generator
from typing import Any

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb._middleware_stack import Layer, build_middleware_stack
from slimeweb.testing import TestClient


def test_what_a_coroutine_returns_or_raises_ends_its_request() -> None:
    app = Slime(__file__)
    tasks: list[asyncio.Task[Any] | None] = []

    @app.route("/{when}/{how}")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        if req.params["when"] == "later":
            await asyncio.sleep(0)
        match req.params["how"]:
            case "fail":
                raise ValueError
            case "leave":
                raise SystemExit
            case "cancel":
                task = asyncio.current_task()
                assert task is not None
                tasks.append(task)
                task.cancel()
                await asyncio.sleep(0)
        return "answer"

    with TestClient(app, workers=1) as client:
        for when in ("now", "later"):
            statuses = [client.get(f"/{when}/{how}").status_code for how in ("answer", "fail", "leave", "cancel")]
            assert statuses == [200, 500, 500, 500]
    assert [task is not None and task.cancelled() for task in tasks] == [True, True]


def test_what_is_awaited_is_sent_and_thrown_to_the_handler() -> None:
    app = Slime(__file__)

    class Awaited:
        """Yields nothing but `None`, as `asyncio.sleep(0)` does, and tells what it is resumed with."""

        def __await__(self) -> Generator[None, object, object]:
            try:
                return (yield), (yield)
            except asyncio.CancelledError as error:
                return error.args

    @app.route("/resumed")
    async def resumed(req: SlimeRequest, resp: SlimeResponse) -> str:
        return repr(await Awaited())

    @app.route("/cancelled")
    async def cancelled(req: SlimeRequest, resp: SlimeResponse) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("enough")
        # It is the handler that decides what a cancellation does.
        return repr(await Awaited())

    with TestClient(app) as client:
        assert client.get("/resumed").text == "(None, None)"
        assert client.get("/cancelled").text == "('enough',)"


def test_what_is_awaitable_without_being_a_coroutine_will_do() -> None:
    app = Slime(__file__)

    class Home:
        async def __call__(self, req: SlimeRequest, resp: SlimeResponse) -> str:
            await asyncio.sleep(0)
            return "hello"

    class Answer:
        def __await__(self) -> Generator[Any, None, str]:
            yield from asyncio.sleep(0).__await__()
            return "an awaitable"

    def answer(req: SlimeRequest, resp: SlimeResponse) -> Answer:
        return Answer()

    app.route("/object")(Home())
    if sys.version_info >= (3, 12):
        app.route("/awaitable")(inspect.markcoroutinefunction(answer))
    with TestClient(app) as client:
        assert client.get("/object").text == "hello"
        if sys.version_info >= (3, 12):
            assert client.get("/awaitable").text == "an awaitable"


def test_a_handlers_task_shows_the_handler() -> None:
    app = Slime(__file__)

    @app.route("/")
    async def somewhere(req: SlimeRequest, resp: SlimeResponse) -> list[Any]:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return ["somewhere" in repr(task), asyncio.iscoroutine(task.get_coro())]

    with TestClient(app) as client:
        assert client.get("/").json() == [True, True]


def test_a_cancelled_handlers_afters_run() -> None:
    seen: list[object] = []

    async def forever(req: object, resp: object) -> None:
        await asyncio.Event().wait()

    def on_error(req: object, resp: object, exc: BaseException) -> None:
        seen.append(exc)

    class Response:
        _is_set_by_before = False

    layers = [Layer(before=lambda req, resp: None, after=lambda req, resp: seen.append("after"))]
    endpoint = build_middleware_stack(layers, forever, on_error, on_error, is_async=True)

    async def run() -> None:
        task = asyncio.ensure_future(endpoint(None, Response()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(run())
    assert seen == ["after"]


def test_a_handler_is_a_real_task() -> None:
    app = Slime(__file__)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return {"task": isinstance(task, asyncio.Task), "timeout": True}
        return {}

    with TestClient(app, workers=2) as client:
        assert client.get("/").json() == {"task": True, "timeout": True}


def test_asynchronous_middleware_may_wait() -> None:
    class Wait(SlimeMiddleware):
        async def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            await asyncio.sleep(0)
            resp.set_header("X-Waited", "yes")

        async def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            await asyncio.sleep(0)
            resp.set_header("X-Left", "yes")

    app = Slime(__file__)

    @app.route("/", plugin=Wait())
    async def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "hello"

    with TestClient(app) as client:
        headers = client.get("/").headers
    assert (headers["x-waited"], headers["x-left"]) == ("yes", "yes")


def test_every_request_is_logged_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "slimeweb.access")
    app = Slime(__file__)
    app.route("/")(lambda req, resp: "hello")
    with TestClient(app, access_log=True) as client:
        client.get("/")
        client.get("/nowhere")
    lines = [record.getMessage() for record in caplog.records if record.name == "slimeweb.access"]
    assert len(lines) == 2
    assert " GET / 200 5B " in lines[0]
    assert " GET /nowhere 404 9B " in lines[1]
