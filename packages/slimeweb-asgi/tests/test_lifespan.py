"""The lifespan of ASGI applications."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """Answers with what its lifespan has put into the state, and writes down what happens."""

    def __init__(self, *, starts: str = "complete", ends: str = "complete") -> None:
        self.happened: list[str] = []
        self.starts = starts
        self.ends = ends

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
            return
        scope["state"]["count"] = scope["state"].get("count", 0) + 1
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": repr(scope["state"]).encode()})

    async def live(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "lifespan.startup"}
        if self.starts == "raise":
            raise ValueError("no lifespan here")
        if self.starts == "return":
            return
        scope["state"]["pool"] = 7
        self.happened.append("start")
        await send({"type": f"lifespan.startup.{self.starts}", "message": "no database"})
        async with asyncio.TaskGroup() as group:
            background = group.create_task(asyncio.Event().wait())
            assert await receive() == {"type": "lifespan.shutdown"}
            background.cancel()
        self.happened.append("end")
        if self.ends == "raise":
            raise ValueError("at the end")
        await send({"type": f"lifespan.shutdown.{self.ends}", "message": "not flushed"})


def mounted(application: Application) -> Slime:
    app = Slime(__file__)
    app.mount("", asgi=application)
    return app


def test_a_lifespan_surrounds_the_requests_and_its_state_is_copied_for_each() -> None:
    application = Application()
    app = mounted(application)
    for _ in range(2):
        application.happened.clear()
        with TestClient(app, workers=2) as client:
            assert application.happened == ["start"]
            assert client.get("/").text == client.get("/").text == "{'pool': 7, 'count': 1}"
        assert application.happened == ["start", "end"]


@pytest.mark.parametrize("how", ["raise", "return"])
def test_an_application_without_a_lifespan_is_served(how: str, caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(mounted(Application(starts=how))) as client:
        assert client.get("/").text == "{'count': 1}"
    assert [record.levelname for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_start_that_fails_ends_the_server() -> None:
    with (
        pytest.raises(RuntimeError, match="the ASGI application at / has failed to start: no database"),
        TestClient(mounted(Application(starts="failed"))),
    ):
        pass


@pytest.mark.parametrize(("how", "text"), [("failed", "failed to end: not flushed"), ("raise", "at the end")])
def test_an_end_that_fails_is_logged(how: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(mounted(Application(ends=how))) as client:
        assert client.get("/").status_code == 200
    assert text in caplog.text


def test_an_end_that_hangs_holds_up_neither_the_server_nor_other_applications(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cancelled = threading.Event()

    async def hanging(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    other = Application()
    app = Slime(__file__)
    app.mount("/hangs", asgi=hanging)
    app.mount("", asgi=other)
    with TestClient(app, shutdown_grace=1):
        pass
    assert cancelled.is_set()
    assert other.happened == ["start", "end"]
    assert "the ASGI application at /hangs has not ended in time" in caplog.text


@pytest.mark.parametrize("how", ["raise", "cancel"])
def test_a_lifespan_that_fails_while_it_is_served_ends_the_server(how: str, caplog: pytest.LogCaptureFixture) -> None:
    failing = asyncio.Event()
    told: list[BaseException | None] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            failing.set()
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"the last answer"})
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await failing.wait()
        raise ValueError("the pool is gone") if how == "raise" else asyncio.CancelledError()

    app = Slime(__file__)
    app.mount("/old", asgi=application)
    app.end()(told.append)
    text = "the lifespan of the ASGI application at /old has failed while it was being served"
    with pytest.raises(RuntimeError, match=text) as caught, TestClient(app) as client:
        ask_until_it_stops(app, client)
    assert told == [caught.value]
    assert isinstance(caught.value.__cause__, ValueError if how == "raise" else asyncio.CancelledError)
    assert f"{text}: {caught.value.__cause__!r}: the server stops" in caplog.text


def ask_until_it_stops(app: Slime, client: TestClient) -> None:
    serving = app._serving
    assert serving is not None
    assert client.get("/old/").text == "the last answer"
    serving.wait_for_stop()


def test_a_lifespan_that_returns_early_has_no_end() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

    app = Slime(__file__)
    app.mount("", asgi=application)
    with TestClient(app) as client:
        assert client.get("/").status_code == client.get("/").status_code == 204


def test_an_answer_that_has_no_place_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    app = Slime(__file__)
    app.mount("", asgi=application)
    with caplog.at_level("INFO"), TestClient(app):
        pass
    assert "'lifespan.shutdown.complete', which has no place here" in caplog.text
