"""Rate limits by client and route."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.process import ServerProcess

PLUGIN = "slimeweb-limits"


def statuses(server: ServerProcess, path: str, count: int, client: str = "192.0.2.1") -> list[int]:
    return [server.ask(path, headers={"X-Forwarded-For": client}).status for _ in range(count)]


@pytest.mark.parametrize("path", ["/plain", "/coroutine"])
def test_a_route_has_its_limit_and_each_client_its_own(server: ServerProcess, path: str) -> None:
    assert statuses(server, path, 5) == [200, 200, 200, 429, 429]
    assert statuses(server, path, 1, "192.0.2.2") == [200]
    server.ask("/later/0.34")
    assert statuses(server, path, 2) == [200, 429]


def test_other_routes_have_the_default_and_say_when_to_come_back(server: ServerProcess) -> None:
    assert statuses(server, "/default", 2) == [200, 200]
    refused = server.ask("/default", headers={"X-Forwarded-For": "192.0.2.1"})
    assert (refused.status, refused.header("retry-after")) == (429, "30")
    server.ask("/later/30")
    assert statuses(server, "/default", 2) == [200, 429]


def test_many_threads_get_no_more_than_the_limit(server: ServerProcess) -> None:
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: server.ask("/plain").status, range(40)))
    assert answers.count(200) == 3


def test_a_limit_that_is_none_is_refused_where_it_is_declared(server: ServerProcess) -> None:
    assert "'10/s'" in server.ask("/wrong").text
