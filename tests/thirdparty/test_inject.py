"""Handlers that get services by name or annotation, by a plugin that claims their signature."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from support.environments import Environment
from support.process import ServerProcess

HERE = Path(__file__).parent

PLUGIN = "slimeweb-inject"
SHARES_SERVER = True
ALSO = ("slimeweb-stream", "slimeweb-ws")


@pytest.fixture(scope="module")
def server(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One for all tests, which leave it as it was."""
    folder = tmp_path_factory.mktemp("application")
    app = shutil.copy(HERE / PLUGIN / "example.py", folder)
    with ServerProcess(Path(app), python=environment.interpreter, cwd=folder) as server:
        yield server.wait_until_serving()


def test_a_plain_handler_gets_services_and_the_parameters_of_its_path(server: ServerProcess) -> None:
    answer = server.ask("/plain/3?limit=4")
    assert answer.json() == {"id": 3, "db": "/plain/3", "limit": 4}


def test_a_coroutine_gets_services_that_are_awaited_and_keeps_its_defaults(server: ServerProcess) -> None:
    answer = server.ask("/coroutine/4", headers={"X-User": "Ada"})
    assert answer.json() == {"id": 4, "db": "/coroutine/4", "user": "Ada", "colour": "red"}


def test_request_and_response_are_there_by_name(server: ServerProcess) -> None:
    answer = server.ask("/both")
    assert (answer.status, answer.text) == (201, "GET /both")
    assert server.ask("/usual").text == "as ever"


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_it_works_inside_of_another_wrapper(server: ServerProcess, kind: str) -> None:
    assert server.ask(f"/shout/{kind}").text == f"/SHOUT/{kind.upper()}"


@pytest.mark.parametrize(("kind", "text"), [("plain", "/stream/plain"), ("coroutine", "/stream/coroutine nobody")])
def test_it_works_inside_of_a_stream(server: ServerProcess, kind: str, text: str) -> None:
    answer = server.ask(f"/stream/{kind}")
    assert (answer.text, answer.header("transfer-encoding")) == (text, "chunked")


def test_it_works_inside_of_a_websocket_route(server: ServerProcess) -> None:
    with connect(f"ws://{server.host}:{server.port}/echo/Ada") as connection:
        connection.send("hello")
        assert connection.recv(timeout=10) == "Ada /echo/Ada: hello"


def test_what_it_does_not_know_is_refused_at_the_declaration(server: ServerProcess) -> None:
    unknown, awaited = server.ask("/refusals").json()
    assert unknown.startswith("InvalidHandler: ")
    assert "(cache)" in unknown
    assert "'inject'" in awaited
    assert awaited.endswith("user comes from a coroutine: write 'async def <lambda>'")
