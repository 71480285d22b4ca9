"""WebSocket frames (RFC 6455, section 5) by a client that shares no code with the server, and sends what it is told."""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from support.wire import Wire

__all__ = [
    "BINARY",
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "client_frame",
    "open_websocket",
    "server_frame",
    "server_frames",
]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Frame(NamedTuple):
    """A frame as it came over the wire."""

    fin: bool
    rsv: int
    opcode: int
    payload: bytes


def open_websocket(
    wire: Wire, target: str, *, offer: str | None = None, headers: Mapping[str, str] | None = None
) -> None:
    """The opening handshake. `offer` is what to send as Sec-WebSocket-Extensions, `headers` what to send besides."""
    fields = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        **(headers or {}),
    }
    if offer is not None:
        fields["Sec-WebSocket-Extensions"] = offer
    wire.request("GET", target, headers=fields)
    answer = wire.answer()
    assert answer.status == 101, answer


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = b"mask") -> bytes:
    """A masked frame."""
    length = len(payload)
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 1 << 16:
        size = struct.pack(">BH", 0x80 | 126, length)
    else:
        size = struct.pack(">BQ", 0x80 | 127, length)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([fin << 7 | rsv << 4 | opcode]) + size + mask + masked


def server_frame(wire: Wire) -> Frame:
    """The next frame from the server; AssertionError for one that is masked."""
    first, second = wire.exactly(2)
    assert not second & 0x80, "a server does not mask"
    length = second & 0x7F
    extended = {126: 2, 127: 8}.get(length, 0)
    if extended:
        length = int.from_bytes(wire.exactly(extended), "big")
    return Frame(bool(first & 0x80), first >> 4 & 7, first & 0x0F, wire.exactly(length))


def server_frames(wire: Wire) -> Iterator[Frame]:
    """The frames that the server sends until it closes the connection, cleanly or not."""
    try:
        while not wire.is_at_end():
            yield server_frame(wire)
    except ConnectionResetError:
        # It had not read all that it was sent: what was on its way to us is lost.
        return
