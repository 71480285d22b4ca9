"""WebSocket connections that anything may be sent over (RFC 6455)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st

from support.extras import needs
from support.process import ServerProcess
from support.websocket import (
    BINARY,
    CLOSE,
    PONG,
    TEXT,
    Frame,
    client_frame,
    open_websocket,
    server_frame,
    server_frames,
)

Unmoved = Callable[[], AbstractContextManager[None]]
Exercise = Callable[[st.SearchStrategy[Any], Callable[[Any], None]], None]

OFFERS = st.sampled_from([None, "permessage-deflate"])
FRAMES = st.builds(
    client_frame,
    st.integers(0, 15),
    st.binary(max_size=200),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 4, 1, 7]),
    mask=st.binary(min_size=4, max_size=4),
)
# Frames that claim more than there is, or more than may be.
CLAIMS = st.sampled_from(
    [b"\x82\xff" + b"\xff" * 8, b"\x82\xff" + b"\x00" * 7 + b"\x05", b"\x81\xfe\x00\x01", b"\x89\xfe\x01\x00"]
)
PIECES = st.lists(st.one_of(FRAMES, FRAMES, CLAIMS, st.binary(max_size=60)), max_size=8)
MESSAGES = st.lists(st.one_of(st.text(max_size=200), st.binary(max_size=200)), max_size=10)
CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011})


@pytest.fixture(autouse=True)
def _warm(target: ServerProcess) -> None:
    """What is made once, when first needed, is no growth."""
    needs("slimeweb-ws")
    for offer in [None, "permessage-deflate"] * 10:
        talk(target, [client_frame(TEXT, b"hello" * 1000)], offer)


def talk(server: ServerProcess, pieces: list[bytes], offer: str | None) -> list[Frame]:
    """All that the server says to these pieces and the end of the connection after them."""
    with server.wire() as wire:
        open_websocket(wire, "/live/echo", offer=offer)
        for piece in pieces:
            wire.send_until_refused(piece)
        with suppress(OSError):
            # The server may have been faster.
            wire.socket.shutdown(socket.SHUT_WR)
        return list(server_frames(wire))


def test_whatever_is_sent_gets_frames_and_an_end(exercise: Exercise, target: ServerProcess, unmoved: Unmoved) -> None:
    def act(case: tuple[list[bytes], str | None]) -> None:
        frames = talk(target, *case)
        kinds = [frame.opcode for frame in frames]
        assert set(kinds) <= {TEXT, BINARY, CLOSE, PONG}
        assert kinds.count(CLOSE) <= 1
        assert CLOSE not in kinds[:-1], "nothing comes after a close"
        for frame in frames:
            assert frame.fin
            assert frame.rsv in ((0, 4) if case[1] and frame.opcode in (TEXT, BINARY) else (0,))
            if frame.opcode == CLOSE and frame.payload:
                code = int.from_bytes(frame.payload[:2], "big")
                assert code in CODES or 3000 <= code < 5000 or code in (1010, 1012, 1013, 1014), code

    with unmoved():
        exercise(st.tuples(PIECES, OFFERS), act)


def test_messages_come_back_however_they_are_cut(exercise: Exercise, target: ServerProcess, unmoved: Unmoved) -> None:
    def act(case: tuple[list[str | bytes], list[int], list[int]]) -> None:
        messages, splits, cuts = case
        data = b"".join(fragments(message, splits) for message in messages)
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        with target.wire() as wire:
            open_websocket(wire, "/live/echo")
            for start, end in pairwise(places):
                wire.send(data[start:end])
            echoed = [server_frame(wire) for _ in messages]
            assert [each.payload.decode() if each.opcode == TEXT else each.payload for each in echoed] == messages
            wire.send(client_frame(CLOSE, b"\x03\xe8"))
            assert server_frame(wire) == Frame(True, 0, CLOSE, b"\x03\xe8")
            assert wire.is_at_end()

    numbers = st.lists(st.integers(0, 2000), max_size=6)
    with unmoved():
        exercise(st.tuples(MESSAGES, numbers, numbers), act)


def fragments(message: str | bytes, splits: list[int]) -> bytes:
    """A message in one frame or in several."""
    opcode, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
    places = sorted({0, len(payload), *(split % (len(payload) + 1) for split in splits)})
    spans = list(pairwise(places)) or [(0, 0)]
    return b"".join(
        client_frame(opcode if index == 0 else 0, payload[start:end], fin=index == len(spans) - 1)
        for index, (start, end) in enumerate(spans)
    )
