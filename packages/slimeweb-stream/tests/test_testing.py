"""`client.events` reads events as browsers do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Slime(__file__)

    @app.route("/raw")
    def raw(req: Any, resp: Any) -> Any:
        pieces = [
            b": note\r",
            b"\ndata: a\n",
            b"data:b\nid: 7\nretry: 5\n\nda",
            b"ta: {}\nevent: x\nretry: no\n\n\ndata: cut",
        ]
        return resp.stream(iter(pieces), content_type="text/event-stream")

    @app.route("/page")
    def page(req: Any, resp: Any) -> Any:
        return resp.plain("no")

    with TestClient(app) as client:
        yield client


def test_events_are_read_from_pieces_wherever_they_are_cut(client: Any) -> None:
    with client.events("/raw") as events:
        first, second = events
    assert (first.data, first.event, first.id, first.retry) == ("a\nb", "message", "7", 5)
    assert (second.json(), second.event, second.id, second.retry) == ({}, "x", "7", None)


def test_what_is_no_event_stream_is_refused(client: Any) -> None:
    with pytest.raises(ValueError, match="GET /page is no event stream: 200, text/plain"), client.events("/page"):
        pass


def test_an_endless_stream_ends_with_the_statement() -> None:
    app = Slime(__file__)

    @app.stream("/", content="text/event-stream")
    def endless(req: Any, resp: Any) -> None:
        resp.start_stream()
        number = 0
        while True:
            resp.send(f"data: {number}\n\n")
            number += 1

    client: Any
    with TestClient(app) as client, client.events("/") as events:
        assert [next(events).data for _ in range(3)] == ["0", "1", "2"]
