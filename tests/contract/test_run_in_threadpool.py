"""Plain functions that coroutines have called on the server's pool."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from typing import Any

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, run_in_threadpool
from slimeweb.testing import TestClient

USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


def app_of(handler: Any, *middleware: SlimeMiddleware) -> Slime:
    app = Slime(__file__)
    app.route(path="/", plugin=middleware)(handler)
    return app


def has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def test_a_function_is_called_in_the_pool_with_its_arguments_in_a_copy_of_the_context() -> None:
    def work(first: int, *, second: int) -> dict[str, Any]:
        seen = USER.get()
        USER.set("changed")
        name = threading.current_thread().name
        return {"sum": first + second, "user": seen, "loop": has_loop(), "here": threading.get_ident(), "name": name}

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        USER.set("ada")
        result = await run_in_threadpool(work, 3, second=4)
        return {**result, "here": result["here"] == threading.get_ident(), "after": USER.get()}

    with TestClient(app_of(handler)) as client:
        answer = client.get("/").json()
        name = answer.pop("name")
    assert answer == {"sum": 7, "user": "ada", "loop": False, "here": False, "after": "ada"}
    assert not name.startswith("slime-loop"), "the threads of asyncio.to_thread"


def test_what_it_raises_is_raised_where_it_is_awaited() -> None:
    def fail(error: BaseException) -> None:
        raise error

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        names = []
        for error in (ValueError("x"), SystemExit(3), KeyboardInterrupt(), StopIteration(7)):
            try:
                await run_in_threadpool(fail, error)
            except BaseException as raised:
                cause = type(raised.__cause__).__name__ if raised.__cause__ else ""
                names.append(type(raised).__name__ + cause)
        return names

    with TestClient(app_of(handler)) as client:
        assert client.get("/").json() == ["ValueError", "SystemExit", "KeyboardInterrupt", "RuntimeErrorStopIteration"]


def test_a_full_pool_is_a_503() -> None:
    go_on, outcomes = threading.Event(), queue.SimpleQueue[list[asyncio.Future[bool]]]()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        calls: list[asyncio.Future[bool]] = []
        outcomes.put(calls)
        try:
            for _ in range(10):
                calls.append(run_in_threadpool(go_on.wait, 15))
        finally:
            go_on.set()
            assert await asyncio.gather(*calls) == [True] * len(calls)
        return "not full"

    with TestClient(app_of(handler), pool_threads=1, worker_queue_size=2) as client:
        response = client.get("/")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        # Two that wait, and one that runs if the thread was there in time.
        assert len(outcomes.get(timeout=15)) in (2, 3)


def test_a_call_that_has_not_begun_is_cancelled_and_one_that_has_goes_on() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    called: list[str] = []

    def first() -> None:
        begun.set()
        assert go_on.wait(15)
        called.append("first")

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        running = run_in_threadpool(first)
        waiting = run_in_threadpool(called.append, "second")
        last = run_in_threadpool(ended.set)
        while not begun.is_set():
            await asyncio.sleep(0.001)
        running.cancel()
        waiting.cancel()
        go_on.set()
        await last
        return called

    with TestClient(app_of(handler), pool_threads=1) as client:
        assert client.get("/").json() == ["first"]
    assert called == ["first"]


def test_a_cancelled_task_cancels_the_call_that_it_awaits() -> None:
    called: list[int] = []
    go_on = threading.Event()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        running = run_in_threadpool(go_on.wait, 15)
        try:
            async with asyncio.timeout(0.01):
                await run_in_threadpool(called.append, 1)
        except TimeoutError:
            go_on.set()
            assert await running
            return "timeout"
        return "called"

    with TestClient(app_of(handler), pool_threads=1) as client:
        assert client.get("/").text == "timeout"
    assert called == []


def test_it_works_in_middleware_in_start_functions_and_on_a_loop_of_a_plain_handler() -> None:
    class Guard(SlimeMiddleware):
        async def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            req.guard = await run_in_threadpool(str, 1)

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return [req.guard, req.state["started"]]

    app = app_of(handler, Guard())

    @app.start()
    async def start() -> None:
        app.state["started"] = await run_in_threadpool(str, 2)

    @app.route(path="/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        async def main() -> str:
            return await run_in_threadpool(str, 3)

        return asyncio.run(main())

    with TestClient(app) as client:
        assert client.get("/").json() == ["1", "2"]
        for _ in range(200):
            assert client.get("/plain").text == "3"


def test_elsewhere_it_says_what_to_use() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"use asyncio\.to_thread"):
            run_in_threadpool(str)

    asyncio.run(main())
    with pytest.raises(RuntimeError, match="no running event loop"):
        run_in_threadpool(str)


def test_a_child_that_the_function_forks_ends_with_it() -> None:
    def fork() -> int:
        pid = os.fork()
        if pid == 0:
            raise SystemExit(7)
        return pid

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        pid = await run_in_threadpool(fork)
        return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    with TestClient(app_of(handler)) as client:
        assert client.get("/").text == "7"


def test_a_call_that_outlives_its_loop_disturbs_nobody(unraisable: list[str]) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(60)
        ended.set()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        run_in_threadpool(work)
        return "begun"

    with TestClient(app_of(handler), shutdown_grace=0.1) as client:
        assert client.get("/").text == "begun"
        assert begun.wait(15)
    go_on.set()
    assert ended.wait(60)
    assert unraisable == []
