"""`call_soon` and its like on a worker's loop, which keeps callbacks among its other things to do."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient

name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")

Body = Callable[[asyncio.AbstractEventLoop], Coroutine[Any, Any, Any]]


def on_a_worker(body: Body) -> Any:
    """What a coroutine returns that runs as a handler."""
    app = Slime(__file__)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.json(await body(asyncio.get_running_loop()))

    @app.route("/ping")
    async def ping(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "pong"

    with TestClient(app, workers=1) as client:
        return client.get("/").json()


def test_in_the_order_in_which_they_were_asked_for() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> list[int]:
        made: list[int] = []
        for number in range(0, 20, 2):
            loop.call_soon(made.append, number)
            loop.call_soon_threadsafe(made.append, number + 1)
        assert made == []
        await asyncio.sleep(0)
        return made

    assert on_a_worker(body) == list(range(20))


def test_what_a_callback_asks_for_is_called_after_the_others() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> list[str]:
        made: list[str] = []

        def first() -> None:
            made.append("first")
            loop.call_soon(made.append, "third")

        loop.call_soon(first)
        loop.call_soon(made.append, "second")
        while len(made) < 3:
            await asyncio.sleep(0)
        return made

    assert on_a_worker(body) == ["first", "second", "third"]


def test_one_that_is_cancelled_is_not_called_and_lets_go() -> None:
    class Thing:
        pass

    async def body(loop: asyncio.AbstractEventLoop) -> list[Any]:
        made: list[int] = []
        thing = Thing()
        gone = weakref.ref(thing)
        handles = [loop.call_soon(made.append, number) for number in range(3)]
        holding = loop.call_soon(lambda kept: made.append(9), thing)
        assert not handles[1].cancelled()
        handles[1].cancel()
        holding.cancel()
        del thing
        gc.collect()
        assert handles[1].cancelled()
        assert gone() is None
        await asyncio.sleep(0)
        handles[0].cancel()
        return [made, [handle.cancelled() for handle in handles]]

    assert on_a_worker(body) == [[0, 2], [True, True, False]]


def test_each_in_its_context() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> list[str]:
        seen: list[str] = []

        def look() -> None:
            seen.append(name.get())
            name.set("changed")

        name.set("here")
        handle = loop.call_soon(look)
        other = contextvars.Context()
        other.run(name.set, "there")
        loop.call_soon(look, context=other)
        name.set("later")
        await asyncio.sleep(0)
        if hasattr(handle, "get_context"):
            # From 3.12 on; ours has it always.
            seen.append(handle.get_context()[name])
        return [*seen, other[name], name.get()]

    assert on_a_worker(body) == ["here", "there", "changed", "changed", "later"]


def test_an_error_is_the_exception_handlers() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> list[Any]:
        reports: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda loop, report: reports.append(report))

        def fail(what: str) -> None:
            raise ValueError(what)

        handle = loop.call_soon(fail, "on purpose")
        called: list[bool] = []
        loop.call_soon(called.append, True)
        await asyncio.sleep(0)
        (report,) = reports
        loop.set_exception_handler(None)
        return ["fail" in report["message"], repr(report["exception"]), report["handle"] is handle, called]

    assert on_a_worker(body) == [True, "ValueError('on purpose')", True, [True]]


def test_endless_callbacks_keep_nothing_waiting() -> None:
    """Neither timers nor files, other threads or connections."""
    app = Slime(__file__)
    going = threading.Event()
    over = threading.Event()

    @app.route("/busy")
    async def busy(req: SlimeRequest, resp: SlimeResponse) -> str:
        loop = asyncio.get_running_loop()

        def again() -> None:
            if not over.is_set():
                loop.call_soon(again)

        again()
        going.set()
        await asyncio.sleep(0.01)
        await asyncio.to_thread(time.sleep, 0.01)
        process = await asyncio.create_subprocess_exec("echo", "out", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return out.decode()

    @app.route("/ping")
    async def ping(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "pong"

    with TestClient(app, workers=1) as client:
        try:
            assert client.get("/busy").text == "out\n"
            assert going.is_set()
            for _ in range(20):
                assert client.get("/ping").text == "pong"
        finally:
            over.set()


def test_debugging_is_as_on_any_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> list[Any]:
        made: list[int] = []
        assert loop.get_debug() is False
        loop.set_debug(True)
        loop.slow_callback_duration = 0.001
        try:
            assert loop.get_debug() is True
            loop.call_soon(made.append, 1)
            loop.call_soon(time.sleep, 0.005)
            with pytest.raises(TypeError):
                loop.call_soon(asyncio.sleep)
            await asyncio.sleep(0)
            loop.call_soon_threadsafe(made.append, 2)
            await asyncio.sleep(0.01)
        finally:
            loop.set_debug(False)
        assert loop.get_debug() is False
        loop.call_soon(made.append, 3)
        await asyncio.sleep(0)
        return made

    with caplog.at_level(logging.WARNING, logger="asyncio"):
        assert on_a_worker(body) == [1, 2, 3]
    assert "Executing <Handle sleep(0.005)" in caplog.text


def test_a_loop_that_is_closed_takes_none() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def body(loop: asyncio.AbstractEventLoop) -> None:
        loops.append(loop)

    on_a_worker(body)
    (loop,) = loops
    assert loop.is_closed()
    assert not loop.is_running()
    for ask in (loop.call_soon, loop.call_soon_threadsafe):
        with pytest.raises(RuntimeError, match="closed"):
            ask(print, "never")


def test_a_handle_that_its_own_context_keeps_is_collected() -> None:
    kept: contextvars.ContextVar[Any] = contextvars.ContextVar("kept")

    class Keeper:
        handle: asyncio.Handle

    async def body(loop: asyncio.AbstractEventLoop) -> int:
        def keep(mark: Callable[[], object]) -> weakref.ref[Keeper]:
            keeper = Keeper()
            kept.set(keeper)
            keeper.handle = loop.call_soon(mark)
            return weakref.ref(keeper)

        called: list[int] = []
        seen = [contextvars.copy_context().run(keep, lambda: called.append(1)) for _ in range(10)]
        await asyncio.sleep(0)
        assert len(called) == len(seen)
        gc.collect()
        return sum(ref() is not None for ref in seen)

    assert on_a_worker(body) == 0
