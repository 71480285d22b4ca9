"""Bodies far larger than what the server may hold of them."""

from __future__ import annotations

import http.client
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.footprint import peak_memory, resident_memory
from support.process import ServerProcess

MIB = 1024 * 1024
BLOCK = bytes(range(256)) * 256
MOST = 32 * 1000 * 1000
"""Bytes that the server's memory may grow by."""

SIZES = [
    pytest.param(64 * MIB, id="64MiB"),
    pytest.param(2048 * MIB, id="2GiB", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]
VARIANTS = pytest.mark.parametrize("variant", ["sync", "async"])


@contextmanager
def little_growth(server: ServerProcess) -> Iterator[None]:
    """What happens inside must not raise the server's memory, not even for a moment."""
    before = resident_memory(server.pid)
    yield
    grown = peak_memory(server.pid) - before
    assert grown < MOST, f"{grown} bytes more"


def crc_of_pattern(size: int) -> int:
    crc = 0
    for start in range(0, size, len(BLOCK)):
        crc = zlib.crc32(BLOCK[: size - start], crc)
    return crc


def drained(answer: http.client.HTTPResponse) -> tuple[int, int]:
    """Length and checksum of a body that nobody keeps."""
    size = crc = 0
    while piece := answer.read(MIB):
        size += len(piece)
        crc = zlib.crc32(piece, crc)
    return size, crc


def flood(server: ServerProcess, variant: str, size: int) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request("GET", f"/flood/{variant}/{size}")
        answer = connection.getresponse()
        assert answer.getheader("transfer-encoding") == "chunked"
        assert drained(answer) == (size, crc_of_pattern(size))
    finally:
        connection.close()


def echo(server: ServerProcess, variant: str, size: int) -> None:
    """A chunked body that comes back while it is still being sent."""

    def send() -> None:
        head = f"POST /echo/{variant} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.send(head.encode())
        for start in range(0, size, len(BLOCK)):
            block = BLOCK[: size - start]
            wire.send(f"{len(block):x}\r\n".encode() + block + b"\r\n")
        wire.send(b"0\r\n\r\n")

    with server.wire(timeout=60) as wire:
        sender = threading.Thread(target=send)
        sender.start()
        try:
            answer = http.client.HTTPResponse(wire.socket)
            answer.begin()
            assert answer.status == 200
            assert drained(answer) == (size, crc_of_pattern(size))
        finally:
            sender.join(60)


@VARIANTS
@pytest.mark.parametrize("size", SIZES)
def test_a_stream_is_never_in_memory(streams: ServerProcess, variant: str, size: int) -> None:
    flood(streams, variant, MIB)
    with little_growth(streams):
        flood(streams, variant, size)


@VARIANTS
@pytest.mark.parametrize("size", SIZES)
def test_a_chunked_echo_is_never_in_memory(streams: ServerProcess, variant: str, size: int) -> None:
    echo(streams, variant, MIB)
    with little_growth(streams):
        echo(streams, variant, size)


@VARIANTS
def test_a_client_that_does_not_read_stops_its_stream(streams: ServerProcess, variant: str) -> None:
    with little_growth(streams), streams.wire() as wire:
        wire.request("GET", f"/flood/{variant}/{2048 * MIB}")
        assert wire.socket.recv(1024).startswith(b"HTTP/1.1 200 ")
        # All the others are served meanwhile.
        assert all(streams.ask("/ping").text == "pong" for _ in range(100))
