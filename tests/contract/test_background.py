"""What runs beside requests: `app.spawn`, `@app.every`, and `@app.end` as `async def`."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.errors import ConfigError, InvalidHandler
from slimeweb.testing import TestClient
from support.condition import eventually
from support.versions import VERSIONS, served

ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])


class Watching:
    """Notes what `slime_exception` shows."""

    name = "watching"

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    @hookimpl
    def slime_exception(self, exc: BaseException, where: str) -> None:
        self.seen.append((repr(exc), where))


def function_of(function: Callable[..., Any], is_async: bool) -> Any:
    if not is_async:
        return function

    async def coroutine(*args: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args)

    return coroutine


@pytest.mark.parametrize("version", VERSIONS)
@ASYNC
def test_a_spawned_task_outlasts_the_answer(is_async: bool, version: str, tmp_path: Path) -> None:
    answered, done = threading.Event(), threading.Event()
    loops: list[object] = []
    app = Slime(__file__)

    async def work() -> None:
        loops.append(asyncio.get_running_loop())
        while not answered.is_set():
            await asyncio.sleep(0.001)
        done.set()

    def spawn(req: SlimeRequest, resp: SlimeResponse) -> str:
        app.spawn(work())
        return "soon"

    async def spawn_async(req: SlimeRequest, resp: SlimeResponse) -> str:
        loops.append(asyncio.get_running_loop())
        return spawn(req, resp)

    app.route("/")(spawn_async if is_async else spawn)
    with served(app, version, tmp_path, workers=2) as ask:
        assert ask("GET", "/").text == "soon"
        answered.set()
        assert done.wait(10)
    assert len(set(map(id, loops))) == 1, "a task runs on the loop of who has spawned it"


def test_a_task_is_spawned_from_any_thread_and_from_start_functions() -> None:
    done: list[str] = []
    app = Slime(__file__)

    async def work(name: str) -> None:
        done.append(name)

    app.start()(lambda: app.spawn(work("plain start")))

    @app.start()
    async def start() -> None:
        app.spawn(work("coroutine start"))

    with TestClient(app):
        thread = threading.Thread(target=lambda: app.spawn(work("thread")))
        thread.start()
        thread.join()
        assert eventually(lambda: sorted(done) == ["coroutine start", "plain start", "thread"])


def test_what_a_task_raises_is_logged_with_its_name_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    watching = Watching()
    app = Slime(__file__, plugins=[watching])

    async def failing() -> None:
        raise ValueError("x")

    async def leaving() -> None:
        raise SystemExit(3)

    with TestClient(app):
        app.spawn(failing())
        app.spawn(leaving())
        assert eventually(lambda: len(watching.seen) == 2)
        app.spawn(failing())
        assert eventually(lambda: len(watching.seen) == 3), "SystemExit does not end the loop"
    assert set(watching.seen) == {("ValueError('x')", "background"), ("SystemExit(3)", "background")}
    assert re.search("app.spawn: .*failing .* failed", caplog.text)


def test_tasks_are_cancelled_before_the_end_functions_and_may_await() -> None:
    ended: list[str] = []
    app = Slime(__file__)

    async def work() -> None:
        try:
            ended.append("begun")
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append("task")

    app.end()(lambda error: ended.append("end"))
    with TestClient(app):
        app.spawn(work())
        assert eventually(lambda: ended == ["begun"])
    assert ended == ["begun", "task", "end"]


def test_requests_have_the_grace_time_and_tasks_with_them() -> None:
    entered, release, order = threading.Event(), threading.Event(), list[str]()
    app = Slime(__file__)

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            order.append("task")

    @app.route("/", blocking=True)
    def wait(req: SlimeRequest, resp: SlimeResponse) -> str:
        app.spawn(work())
        entered.set()
        release.wait(10)
        order.append("request")
        return "done"

    with TestClient(app) as client:
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(client.get("/").text))
        asking.start()
        assert entered.wait(10)
        app.shutdown()
        release.set()
        asking.join()
    assert (answers, order) == (["done"], ["request", "task"])


def test_what_cannot_be_spawned() -> None:
    app = Slime(__file__)

    async def work() -> None:
        pass

    with pytest.raises(ConfigError, match="not being served: call it from its start functions on"):
        app.spawn(work())
    with pytest.raises(TypeError, match=r"call an async def, app.spawn\(work\(\)\)"):
        app.spawn(work)  # type: ignore[arg-type]


@ASYNC
def test_a_function_runs_again_and_again_on_one_worker(is_async: bool) -> None:
    runs: list[float] = []
    threads: set[str] = set()
    app = Slime(__file__)

    def tick() -> None:
        threads.add(threading.current_thread().name)
        runs.append(time.monotonic())

    app.every(0.02)(function_of(tick, is_async))
    began = time.monotonic()
    with TestClient(app, workers=2):
        assert eventually(lambda: len(runs) >= 3)
    assert runs[0] - began >= 0.02
    assert all(later - earlier > 0 for earlier, later in pairwise(runs))
    assert all(name.startswith("slime-loop-0") for name in threads) is is_async, threads
    count = len(runs)
    with TestClient(app):
        assert eventually(lambda: len(runs) > count), "and when it is served again"


@ASYNC
def test_it_never_runs_twice_at_once_and_missed_runs_are_skipped(is_async: bool) -> None:
    running: list[int] = []
    most: list[int] = []
    release = threading.Event()
    runs: list[float] = []
    app = Slime(__file__)

    def enter() -> None:
        running.append(1)
        most.append(len(running))
        runs.append(time.monotonic())

    def slow() -> None:
        enter()
        if len(runs) == 1:
            release.wait(10)
        running.pop()

    async def slow_async() -> None:
        enter()
        while len(runs) == 1 and not release.is_set():
            await asyncio.sleep(0.001)
        running.pop()

    app.every(0.05)(slow_async if is_async else slow)
    with TestClient(app):
        assert eventually(lambda: len(runs) == 1)
        time.sleep(0.3)  # Six runs are missed.
        assert len(runs) == 1
        release.set()
        assert eventually(lambda: len(runs) >= 4)
    assert set(most) == {1}
    assert runs[3] - runs[1] > 0.05, "those that were missed do not follow at once"


@ASYNC
def test_a_run_that_fails_does_not_end_the_series(is_async: bool, caplog: pytest.LogCaptureFixture) -> None:
    watching = Watching()
    app = Slime(__file__, plugins=[watching])

    def fail() -> None:
        raise ValueError("x")

    app.every(0.01)(function_of(fail, is_async))
    with TestClient(app):
        assert eventually(lambda: len(watching.seen) >= 2)
    assert set(watching.seen) == {("ValueError('x')", "every")}
    assert "app.every(0.01): " in caplog.text


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "5", True, None])
def test_seconds_are_a_number_above_zero(seconds: Any) -> None:
    with pytest.raises(ConfigError, match=r"give the seconds between two runs, a number above 0"):
        Slime(__file__).every(seconds)


def test_what_every_refuses() -> None:
    app = Slime(__file__)
    with pytest.raises(InvalidHandler, match=r"write @app.every\(60\)"):
        app.every(lambda: None)  # type: ignore[arg-type]
    app.every(1)(lambda req: None)
    with pytest.raises(ConfigError, match=r"the function of app.every .* asks for the resource 'req'"):
        TestClient(app).__enter__()


def test_an_end_function_may_be_a_coroutine_function(caplog: pytest.LogCaptureFixture) -> None:
    watching, ended = Watching(), list[object]()
    app = Slime(__file__, plugins=[watching])

    @app.end()
    async def first(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        ended.append(error)

    @app.end()
    async def second(error: BaseException | None) -> None:
        raise ValueError("x")

    app.end()(lambda error: ended.append("last"))
    with TestClient(app):
        pass
    assert ended == [None, "last"]
    assert watching.seen == [("ValueError('x')", "end")]


def test_a_coroutine_end_function_is_told_of_a_failed_start() -> None:
    ended: list[str] = []
    app = Slime(__file__)

    @app.start()
    def start() -> None:
        raise ValueError("no database")

    @app.end()
    async def end(error: BaseException | None) -> None:
        ended.append(str(error))

    with pytest.raises(ValueError, match="no database"), TestClient(app):
        pass
    assert ended == ["no database"]
