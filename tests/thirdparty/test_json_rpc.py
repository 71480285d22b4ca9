"""JSON-RPC 2.0, by its specification."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.process import ServerProcess

PLUGIN = "slimeweb-json-rpc"


def call(server: ServerProcess, body: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = server.ask("/rpc", "POST", headers={"Content-Type": "application/json"}, body=data)
    assert answer.status in (200, 204)
    return answer.json() if answer.body else None


def request(method: str, params: Any = None, **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), "id": 1, **members}


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        ("subtract", [42, 23], 19),
        ("subtract", {"subtrahend": 23, "minuend": 42}, 19),
        ("greet", ["Ada"], "hello Ada"),
        ("greet", {"name": "Ada", "words": ["good", "day"]}, "good day Ada"),
        ("half", [5], 2.5),
    ],
)
def test_methods_are_called(server: ServerProcess, method: str, params: Any, result: Any) -> None:
    assert call(server, request(method, params)) == {"jsonrpc": "2.0", "result": result, "id": 1}


@pytest.mark.parametrize(
    ("body", "code", "identity"),
    [
        (b'{"jsonrpc": "2.0", "method": "foo, "', -32700, None),
        (b"\xff", -32700, None),
        ([], -32600, None),
        (1, -32600, None),
        ({"jsonrpc": "2.0", "method": 1, "params": "bar"}, -32600, None),
        ({"method": "greet", "id": 1}, -32600, None),
        (request("greet", ["Ada"], id=[1]), -32600, None),
        (request("nothing"), -32601, 1),
        (request("subtract", [1]), -32602, 1),
        (request("subtract", [1, 2, 3]), -32602, 1),
        (request("subtract", ["1", 2]), -32602, 1),
        (request("subtract", [True, 2]), -32602, 1),
        (request("greet", ["Ada", 7]), -32602, 1),
        (request("fail"), -32603, 1),
    ],
)
def test_errors_have_the_codes_of_the_specification(
    server: ServerProcess, body: Any, code: int, identity: int | None
) -> None:
    answer = call(server, body)
    assert (answer["error"]["code"], answer["id"]) == (code, identity)
    assert "secret" not in str(answer)


def test_a_method_has_errors_of_its_own(server: ServerProcess) -> None:
    assert call(server, request("refuse"))["error"] == {"code": 7, "message": "no", "data": {"why": "monday"}}


def test_a_batch_has_an_answer_for_each_request_but_notifications(server: ServerProcess) -> None:
    notification = {"jsonrpc": "2.0", "method": "fail"}
    answers = call(server, [request("subtract", [3, 1], id="a"), notification, 1, request("nothing", id="b")])
    assert [(answer["id"], answer.get("error", {}).get("code")) for answer in answers] == [
        ("a", None),
        (None, -32600),
        ("b", -32601),
    ]
    assert call(server, notification) is None
    assert call(server, [notification, notification]) is None


def test_failures_are_told_to_observers(server: ServerProcess) -> None:
    call(server, request("fail"))
    assert server.ask("/seen").json() == [["json-rpc", "secret"]]


def test_a_plain_method_runs_apart_from_the_event_loop(server: ServerProcess) -> None:
    assert call(server, request("plain_thread"))["result"] != call(server, request("loop_thread"))["result"]
