"""What belongs to one request stays with it: context variables, tasks, and what a thread keeps for itself."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.crew import at_once

CLIENTS = 8
EACH = 100

current: ContextVar[str] = ContextVar("current")
local = threading.local()


class Names(SlimeMiddleware):
    """Sets the variable ahead of the handler and looks at it again behind."""

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_header("X-Leaked", current.get("nothing"))
        current.set(req.query["name"])

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_header("X-After", current.get("nothing"))


@pytest.fixture
def app() -> Slime:
    app = Slime(__file__)

    @app.route("/sync")
    def sync(req: SlimeRequest, resp: SlimeResponse) -> str:
        return current.get()

    @app.route("/async/{turns:int}")
    async def asynchronous(req: SlimeRequest, resp: SlimeResponse) -> str:
        for _ in range(req.params["turns"]):
            await asyncio.sleep(0)
            assert current.get() == req.query["name"]
        return current.get()

    @app.route("/child")
    async def child(req: SlimeRequest, resp: SlimeResponse) -> str:
        async def read() -> str:
            await asyncio.sleep(0)
            seen = current.get()
            current.set("the child's own")
            return seen

        seen = await asyncio.create_task(read())
        assert current.get() == req.query["name"], "a task has a context of its own"
        return seen

    @app.route("/task")
    async def task(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        after = asyncio.current_task()
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
            timed_out = False
        except TimeoutError:
            timed_out = True
        return {"task": isinstance(after, asyncio.Task), "same": before is after, "timed_out": timed_out}

    @app.route("/local")
    def keep(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        local.count = getattr(local, "count", 0) + 1
        return {"thread": threading.get_ident(), "count": local.count}

    @app.route("/loop")
    async def loop(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        here = asyncio.get_running_loop()
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is here
        return {"loop": id(here), "thread": threading.get_ident()}

    app.use(Names())
    return app


@pytest.fixture
def client(app: Slime) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("target", ["/sync", "/async/0", "/async/1", "/async/5", "/child"])
def test_context_variables_do_not_leak_between_requests(client: TestClient, target: str) -> None:
    def ask(number: int) -> None:
        for turn in range(EACH):
            name = f"{number}.{turn}"
            response = client.get(f"{target}?name={name}")
            assert response.text == name
            assert response.headers["x-after"] == name, "handler and middleware share a context"
            assert response.headers["x-leaked"] == "nothing", "a request begins with a clean context"

    at_once(CLIENTS, ask)


def test_a_coroutine_is_a_real_task(client: TestClient) -> None:
    def ask(_: int) -> None:
        for _ in range(10):
            seen = client.get("/task?name=x").json()
            assert seen == {"task": True, "same": True, "timed_out": True}

    at_once(CLIENTS, ask)


def test_what_a_thread_keeps_for_itself_survives(client: TestClient) -> None:
    def ask(_: int) -> list[tuple[int, int]]:
        answers = [client.get("/local?name=x").json() for _ in range(EACH)]
        return [(answer["thread"], answer["count"]) for answer in answers]

    seen = [pair for answers in at_once(CLIENTS, ask) for pair in answers]
    highest: Counter[int] = Counter()
    for thread, count in seen:
        highest[thread] = max(highest[thread], count)
    assert sum(highest.values()) == CLIENTS * EACH, "each request found what the one before it left on its thread"
    assert len(highest) <= CLIENTS * 4, "threads are kept, not made anew"


def test_a_loop_stays_on_its_thread(client: TestClient) -> None:
    seen = {
        (answer["loop"], answer["thread"])
        for answers in at_once(CLIENTS, lambda _: [client.get("/loop?name=x").json() for _ in range(EACH)])
        for answer in answers
    }
    assert len({loop for loop, _ in seen}) == len({thread for _, thread in seen}) == len(seen)
