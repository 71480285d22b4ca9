"""State is right under threads without a lock in the caller's hands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.crew import at_once

CLIENTS = 8
EACH = 100


@pytest.fixture
def app() -> Slime:
    app = Slime(__file__)
    app.state["count"] = 0

    @app.route("/incr", method="POST")
    def incr(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        return {"count": req.state.incr("count")}

    @app.route("/aincr", method="POST")
    async def aincr(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        return {"count": req.state.incr("count")}

    @app.route("/append", method="POST")
    def append(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        return {"length": len(req.state.update("log", lambda log: (*(log or ()), req.text)))}

    @app.route("/claim", method="POST")
    def claim(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        return {"owner": req.state.setdefault("owner", req.text), "prize": req.state.pop("prize", None)}

    return app


@pytest.fixture
def client(app: Slime) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_no_increment_is_lost_or_seen_twice(client: TestClient, app: Slime) -> None:
    def ask(number: int) -> list[int]:
        target = "/incr" if number % 2 else "/aincr"
        return [client.post(target).json()["count"] for _ in range(EACH)]

    counts = [count for seen in at_once(CLIENTS, ask) for count in seen]
    assert sorted(counts) == list(range(1, CLIENTS * EACH + 1))
    assert app.state["count"] == CLIENTS * EACH


def test_no_update_is_lost(client: TestClient, app: Slime) -> None:
    app.state["log"] = ()
    at_once(CLIENTS, lambda number: [client.post("/append", content=f"{number}:{turn}".encode()) for turn in range(50)])
    log = app.state["log"]
    assert len(log) == len(set(log)) == CLIENTS * 50


def test_one_claims_and_the_others_learn_who(client: TestClient, app: Slime) -> None:
    for _ in range(20):
        app.state["prize"] = "cup"
        seen = at_once(CLIENTS, lambda number: client.post("/claim", content=str(number).encode()).json())
        assert len({answer["owner"] for answer in seen}) == 1
        assert sorted(str(answer["prize"]) for answer in seen) == sorted(["cup", *["None"] * (CLIENTS - 1)])


def test_an_update_may_use_the_state_it_updates(app: Slime) -> None:
    app.state["total"] = 0
    finished = threading.Event()

    def work() -> None:
        app.state.update("total", lambda total: total + app.state.incr("count"))
        finished.set()

    threading.Thread(target=work, daemon=True).start()
    assert finished.wait(10), "update() waits for itself"


def test_updates_from_bare_threads(app: Slime) -> None:
    def work(_: int) -> None:
        for _ in range(1_000):
            app.state.incr("count")
            app.state.update("peak", lambda peak: max(peak or 0, app.state["count"]))

    app.state["peak"] = 0
    at_once(CLIENTS, work)
    assert app.state["count"] == app.state["peak"] == CLIENTS * 1_000
