"""Spans and metrics of requests, by a plugin on opentelemetry-sdk."""

from __future__ import annotations

from typing import Any

import pytest

from support.condition import eventually
from support.process import ServerProcess

PLUGIN = "slimeweb-opentelemetry"
ALSO = ("slimeweb-stream",)

TRACE, PARENT = "a" * 32, "b" * 16


def spans(server: ServerProcess, name: str) -> list[dict[str, Any]]:
    """Those of one name. They end a moment after the client has its answer."""
    return eventually(lambda: [span for span in server.ask("/spans").json() if span["name"] == name], what=name)


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_span_goes_from_the_caller_to_what_the_handler_does(server: ServerProcess, kind: str) -> None:
    server.ask(f"/{kind}/7", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    (span,) = spans(server, f"GET /{kind}/{{id}}")
    assert (span["kind"], span["trace"], span["parent"], span["status"]) == ("SERVER", TRACE, PARENT, "UNSET")
    assert span["attributes"] == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": f"/{kind}/{{id}}",
        "url.path": f"/{kind}/7",
    }
    (work,) = spans(server, "work")
    assert (work["trace"], work["parent"]) == (TRACE, span["span"])


def test_a_failure_is_an_event_of_its_span(server: ServerProcess) -> None:
    assert server.ask("/failing").status == 500
    (span,) = spans(server, "GET /failing")
    assert (span["status"], span["attributes"]["error.type"], span["events"]) == ("ERROR", "500", ["LookupError"])


def test_a_span_lasts_until_a_stream_has_ended(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.request("GET", "/stream")
        while wire.exactly(1) != b"\n" or wire.exactly(2) != b"\r\n":
            pass
        server.ask("/go-on", "POST")
        (sent,) = spans(server, "POST /go-on")
        (stream,) = spans(server, "GET /stream")
    (work,) = spans(server, "work")
    assert work["parent"] == stream["span"] != sent["span"]
    assert stream["end"] >= work["end"] >= sent["start"]


def test_pieces_of_a_stream_are_made_in_the_context_of_their_request(server: ServerProcess) -> None:
    assert server.ask("/pieces").text == "piece"
    (span,) = spans(server, "GET /pieces")
    (work,) = spans(server, "work")
    assert work["parent"] == span["span"]


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/static/notes.txt", 200)])
def test_what_no_route_answers_has_a_span_of_its_method(server: ServerProcess, path: str, status: int) -> None:
    assert server.ask(path, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}).status == status
    (span,) = spans(server, "GET")
    assert (span["parent"], span["attributes"]["http.response.status_code"]) == (PARENT, status)
    assert "http.route" not in span["attributes"]


def test_what_is_no_request_has_a_span_as_well(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert wire.answer().status == 400
    (span,) = spans(server, "_OTHER")
    assert (span["parent"], span["attributes"]["http.response.status_code"]) == (None, 400)


def test_requests_are_counted_by_method_route_and_status(server: ServerProcess) -> None:
    for number in range(3):
        server.ask(f"/plain/{number}")
    spans(server, "GET /plain/{id}")

    def counted() -> bool:
        counts = {
            point["http.route"]: count for _, point, count in server.ask("/metrics").json() if "http.route" in point
        }
        return bool(counts.get("/plain/{id}") == 3)

    eventually(counted, what="three requests")
