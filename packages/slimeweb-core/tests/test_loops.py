"""Coroutine handlers: their outcome reaches the exchange, and what they began is ended."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.fold import Layer, fold
from slimeweb.loops import spawn
from slimeweb.testing import TestClient


class Exchange:
    def __init__(self) -> None:
        self.outcomes: list[object] = []

    def finish(self, result: object, /) -> None:
        self.outcomes.append(result)

    def fail(self, exc: BaseException, /) -> None:
        self.outcomes.append(type(exc))


def outcome(endpoint: Any, *, cancel: bool = False) -> list[object]:
    exchange = Exchange()

    async def run() -> None:
        task = spawn(endpoint, None, None, exchange)  # type: ignore[arg-type]
        if cancel:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is cancel

    asyncio.run(run())
    return exchange.outcomes


def test_what_a_coroutine_returns_or_raises_ends_its_exchange_once() -> None:
    async def answer(req: object, resp: object) -> str:
        await asyncio.sleep(0)
        return "answer"

    async def fail(req: object, resp: object) -> None:
        raise ValueError

    async def leave(req: object, resp: object) -> None:
        raise SystemExit

    async def forever(req: object, resp: object) -> None:
        await asyncio.Event().wait()

    assert outcome(answer) == ["answer"]
    assert outcome(fail) == [ValueError]
    assert outcome(leave) == [SystemExit]
    assert outcome(forever, cancel=True) == [asyncio.CancelledError]


def test_a_cancelled_handlers_afters_run() -> None:
    seen: list[object] = []

    async def forever(req: object, resp: object) -> None:
        await asyncio.Event().wait()

    def on_error(req: object, resp: object, exc: BaseException) -> None:
        seen.append(exc)

    class Response:
        is_set = False

    layers = [Layer(before=lambda req, resp: None, after=lambda req, resp: seen.append("after"))]
    endpoint = fold(layers, forever, on_error, on_error, is_async=True)

    async def run(req: object, resp: object) -> None:
        await endpoint(req, Response())

    assert outcome(run, cancel=True) == [asyncio.CancelledError]
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
