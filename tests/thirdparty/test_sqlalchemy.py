"""A session of SQLAlchemy for each request, on a file of SQLite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.process import ServerProcess

PLUGIN = "slimeweb-sqlalchemy"
ALSO = ("aiosqlite>=0.20",)
NO_FREE_THREADED = (
    "greenlet, which SQLAlchemy's coroutines need, turns the GIL on: so does 3.2.2, the last with a wheel for 3.13t"
)

both_kinds = pytest.mark.parametrize("kind", ["plain", "coroutine"])


@both_kinds
def test_what_a_handler_adds_is_committed_when_it_returns(server: ServerProcess, kind: str) -> None:
    assert server.ask(f"/{kind}/ada", "POST").status == 201
    assert server.ask("/names").json() == ["ada"]
    assert server.ask("/count").text == "1"


@both_kinds
@pytest.mark.parametrize(("end", "status"), [("error", 409), ("refused", 422)])
def test_a_failure_rolls_back(server: ServerProcess, kind: str, end: str, status: int) -> None:
    assert server.ask(f"/{kind}/ada?end={end}", "POST").status == status
    assert server.ask("/names").json() == []


@both_kinds
def test_a_commit_that_fails_is_an_error_and_the_next_request_works(server: ServerProcess, kind: str) -> None:
    assert [server.ask(f"/{kind}/ada", "POST").status for _ in range(2)] == [201, 500]
    assert server.ask(f"/{kind}/bob", "POST").status == 201
    assert server.ask("/names").json() == ["ada", "bob"]


def test_many_requests_at_once_have_a_session_each_and_give_it_back(server: ServerProcess) -> None:
    paths = [f"/{('plain', 'coroutine')[number % 2]}/{number:02}" for number in range(24)]
    with ThreadPoolExecutor(6) as crowd:
        assert set(crowd.map(lambda path: server.ask(path, "POST").status, paths)) == {201}
    assert server.ask("/names").json() == [f"{number:02}" for number in range(24)]
    assert server.ask("/pool").text == "0"


def test_the_engine_is_disposed_of_at_the_end(server: ServerProcess) -> None:
    assert server.ask("/names").status == 200
    server.stop()
    assert "disposed" in server.output
