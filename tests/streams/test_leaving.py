"""A client that leaves ends the handler that works for it, within a second."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable

import pytest

from support.condition import eventually
from support.process import ServerProcess
from support.wire import Wire

PROMPT = 1.0
"""Seconds."""


def close(wire: Wire) -> None:
    wire.close()


def reset(wire: Wire) -> None:
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


Leave = Callable[[Wire], None]
WAYS = pytest.mark.parametrize("leave", [close, reset])


def how_it_ended(server: ServerProcess, path: str, start: int, leave_at: float) -> str:
    """What the handler says ended it, from `start` in the server's output on."""
    pattern = re.compile(rf"{path}: (ended by \w+|returned)")
    found = eventually(lambda: pattern.search(server.output[start:]), within=10, every=0.01, what=f"{path} ends")
    assert time.monotonic() - leave_at < PROMPT
    return found[1]


def running(server: ServerProcess, path: str, start: int) -> None:
    eventually(lambda: f"{path}: running" in server.output[start:], what=f"{path} runs")


@WAYS
@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("/ticking/sync", {"ended by ClientDisconnected"}),
        ("/ticking/async", {"ended by ClientDisconnected", "ended by CancelledError"}),
        ("/flooding/sync", {"ended by ClientDisconnected"}),
        ("/flooding/async", {"ended by ClientDisconnected", "ended by CancelledError"}),
        ("/idle/async", {"ended by CancelledError"}),
    ],
)
def test_a_handler_that_streams_is_ended(streams: ServerProcess, leave: Leave, path: str, ends: set[str]) -> None:
    start = len(streams.output)
    wire = streams.wire()
    wire.request("GET", path)
    assert wire.socket.recv(1024).startswith(b"HTTP/1.1 200 ")
    leave(wire)
    assert how_it_ended(streams, path, start, time.monotonic()) in ends


@WAYS
@pytest.mark.parametrize("path", ["/late/sync", "/late/async"])
def test_a_stream_that_starts_when_its_client_has_left_is_ended(
    streams: ServerProcess, leave: Leave, path: str
) -> None:
    start = len(streams.output)
    wire = streams.wire()
    wire.request("GET", path)
    running(streams, path, start)
    leave(wire)
    assert how_it_ended(streams, path, start, time.monotonic()) in {
        "ended by ClientDisconnected",
        "ended by CancelledError",
    }


@WAYS
@pytest.mark.parametrize("variant", ["sync", "async"])
def test_a_handler_that_waits_for_more_of_a_body_is_ended(streams: ServerProcess, leave: Leave, variant: str) -> None:
    path = f"/reading/{variant}"
    start = len(streams.output)
    wire = streams.wire()
    wire.send(f"POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".encode())
    assert wire.socket.recv(1024).startswith(b"HTTP/1.1 200 ")
    leave(wire)
    ended = how_it_ended(streams, path, start, time.monotonic())
    assert ended.startswith("ended by "), "a body that was cut off is no whole body"


def test_nothing_is_left_of_those_who_left(streams: ServerProcess) -> None:
    assert streams.ask("/ping").text == "pong"
    before = streams.footprint()
    wires = [streams.wire() for _ in range(40)]
    for number, wire in enumerate(wires):
        wire.request("GET", ("/ticking/async", "/flooding/async", "/idle/async")[number % 3])
    for wire in wires:
        assert wire.socket.recv(1024).startswith(b"HTTP/1.1 200 ")
        wire.close()
    eventually(lambda: streams.footprint().descriptors <= before.descriptors, what="all connections are closed")
    assert streams.ask("/ping").text == "pong"
