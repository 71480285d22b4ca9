"""Reports of failures, by a plugin that observes and sends on a thread of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from support.environments import Environment
from support.process import ServerProcess

PLUGIN = "slimeweb-error-tracking"
ALSO = ("slimeweb-stream", "slimeweb-ws")


def events(server: ServerProcess) -> list[dict[str, Any]]:
    """All there are: the plugin sends what waits before the process ends."""
    server.stop()
    return [json.loads(event) for event in re.findall(r"^event (.*)$", server.output, re.MULTILINE)]


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_failure_that_is_answered_is_reported_once(server: ServerProcess, kind: str) -> None:
    assert server.ask(f"/{kind}").text == "answered"
    (event,) = events(server)
    assert (event["type"], event["message"], event["where"]) == ("LookupError", kind, "handler")
    assert event["frames"][-1].endswith(f" {kind}")
    assert (event["release"], event["request"]["route"]) == ("1.2", f"/{kind}")


def test_secrets_are_left_out(server: ServerProcess) -> None:
    fields = {"Authorization": "Bearer sesame", "Cookie": "id=sesame", "X-Api-Key": "sesame", "X-Kind": "test"}
    server.ask("/plain?token=sesame&page=2", headers=fields)
    (event,) = events(server)
    assert event["request"]["query"] == {"token": "[removed]", "page": "2"}
    assert event["request"]["headers"]["x-kind"] == "test"
    assert "sesame" not in json.dumps(event)


def test_a_stream_that_breaks_is_reported(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.request("GET", "/stream")
        with pytest.raises(EOFError):
            wire.answer()
    (event,) = events(server)
    assert (event["message"], event["where"], event["request"]["path"]) == ("stream", "stream", "/stream")


def test_a_callback_of_a_websocket_is_reported(server: ServerProcess) -> None:
    with connect(f"ws://{server.host}:{server.port}/socket") as connection:
        connection.send("hello")
        server.wait_for_output("event ")
    (event,) = events(server)
    assert (event["message"], event["where"], event["request"]["path"]) == ("socket", "websocket", "/socket")


def test_a_task_that_nobody_awaits_is_reported(server: ServerProcess) -> None:
    assert server.ask("/background").text == "ok"
    server.wait_for_output("event ")
    (event,) = events(server)
    assert (event["message"], event["where"], event["request"]) == ("background", "background", None)


def test_a_start_that_fails_is_reported(environment: Environment) -> None:
    with ServerProcess(
        Path(__file__).parent / PLUGIN / "example.py", python=environment.interpreter, env={"FAIL_AT_START": "1"}
    ) as server:
        assert server.wait() != 0
        (event,) = events(server)
    assert (event["type"], event["message"], event["where"]) == ("OSError", "start", "start")


def test_what_a_handler_means_to_answer_is_no_failure(server: ServerProcess) -> None:
    assert server.ask("/missing").status == 404
    assert events(server) == []


def test_a_transport_that_fails_is_logged_and_tried_again(server: ServerProcess) -> None:
    assert server.ask("/lost").status == 503
    assert server.ask("/plain").status == 503
    assert [event["message"] for event in events(server)] == ["lose me", "plain"]
    assert "the transport has lost an event: LookupError" in server.output
