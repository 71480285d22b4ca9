"""What each plugin adds to the tour, asked for over real connections."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

from support.process import ServerProcess
from support.websocket import CLOSE, TEXT, client_frame, open_websocket, server_frame

__all__ = ["FEATURES"]


def templates(tour: ServerProcess) -> None:
    answer = tour.ask("/menu?guest=%3Cb%3EAda%3C/b%3E")
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert "<title>Menu</title>" in answer.text
    assert "Welcome, &lt;b&gt;Ada&lt;/b&gt;" in answer.text
    assert "Soup: € 4.50" in answer.text


def text_stream(tour: ServerProcess) -> None:
    answer = tour.ask("/countdown/3")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("transfer-encoding") == "chunked"
    assert answer.text == "3\n2\n1\n0\n"


def server_sent_events(tour: ServerProcess) -> None:
    answer = tour.ask("/events", headers={"Last-Event-ID": "7"})
    assert answer.header("content-type") == "text/event-stream"
    events = [event.split("\n") for event in answer.text.removesuffix("\n\n").split("\n\n")]
    assert events == [
        ["event: tick", f"id: {number}", "retry: 1000", f'data: {{"number":{number}}}'] for number in range(8, 13)
    ]
    assert "id: 1\n" in tour.ask("/events", headers={"Last-Event-ID": "no number"}).text


def both_ways(tour: ServerProcess) -> None:
    with tour.wire() as wire:
        wire.send(b"POST /mirror HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        # The first piece is back before the last one is sent.
        assert wire.exactly(12) == b"HTTP/1.1 200"
        wire.send(b"5\r\nworld\r\n0\r\n\r\n")
        received = b""
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += wire.exactly(1)
    assert b"\r\nhello\r\n" in received
    assert b"\r\nworld\r\n" in received


def compression(tour: ServerProcess) -> None:
    plain = tour.ask("/numbers")
    assert (plain.header("content-encoding"), plain.header("vary")) == (None, "Accept-Encoding")
    packed = tour.ask("/numbers", headers={"Accept-Encoding": "gzip, br;q=0.5"})
    assert packed.header("content-encoding") == "gzip"
    assert json.loads(gzip.decompress(packed.body)) == plain.json() == list(range(10_000))
    for accepted, chosen in (("br", "br"), ("zstd, gzip", "zstd"), ("identity", None), ("compress", None)):
        answer = tour.ask("/numbers", headers={"Accept-Encoding": accepted})
        assert answer.header("content-encoding") == chosen


def compressed_stream(tour: ServerProcess) -> None:
    answer = tour.ask("/log", headers={"Accept-Encoding": "gzip"})
    assert answer.header("content-encoding") == "gzip"
    assert gzip.decompress(answer.body).decode().splitlines()[99] == "line 99: nothing happened"


def compression_by_middleware(tour: ServerProcess) -> None:
    answer = tour.ask("/menu", headers={"Accept-Encoding": "gzip"})
    assert answer.header("content-encoding") == "gzip"
    assert b"<h1>Welcome</h1>" in gzip.decompress(answer.body)


def websocket_echo(tour: ServerProcess) -> None:
    assert tour.ask("/live/echo").status == 426
    with tour.wire() as wire:
        open_websocket(wire, "/live/echo")
        wire.send(client_frame(TEXT, "grüß dich".encode()))
        assert server_frame(wire).payload.decode() == "grüß dich"
        wire.send(client_frame(CLOSE, b"\x03\xe8"))
        assert server_frame(wire).opcode == CLOSE
        assert wire.is_at_end()


def websocket_room(tour: ServerProcess) -> None:
    with tour.wire() as ada, tour.wire() as bob, tour.wire() as elsewhere:
        open_websocket(ada, "/live/rooms/tea")
        assert server_frame(ada).payload == b'{"here":1}'
        open_websocket(elsewhere, "/live/rooms/coffee")
        assert server_frame(elsewhere).payload == b'{"here":1}'
        open_websocket(bob, "/live/rooms/tea")
        assert [server_frame(wire).payload for wire in (ada, bob)] == [b'{"here":2}'] * 2
        ada.send(client_frame(TEXT, b"hello"))
        assert server_frame(bob).payload == b"hello"
        bob.send(client_frame(TEXT, b"hello yourself"))
        assert server_frame(ada).payload == b"hello yourself", "what she said herself did not come back"


def documentation(tour: ServerProcess) -> None:
    """In dev mode only."""
    document = tour.ask("/openapi.json").json()
    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "A tour of slimeweb")
    (parameter,) = document["paths"]["/users/{id}"]["get"]["parameters"]
    assert (parameter["in"], parameter["schema"]) == ("path", {"type": "integer"})
    body = document["paths"]["/students"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    student = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert student["properties"].keys() == {"name", "age", "marks"}
    page = tour.ask("/docs/" if tour.ask("/docs").status in (301, 302, 307, 308) else "/docs")
    assert page.status == 200
    assert "swagger-ui" in page.text


FEATURES: tuple[Callable[[ServerProcess], None], ...] = (
    templates,
    text_stream,
    server_sent_events,
    both_ways,
    compression,
    compressed_stream,
    compression_by_middleware,
    websocket_echo,
    websocket_room,
    documentation,
)
"""Each asks a tour in dev mode for one thing, and asserts what it answers."""
