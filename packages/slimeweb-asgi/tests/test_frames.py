"""Frames that go past the engine, against what the websockets library makes and takes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from websockets.frames import OP_BINARY, OP_CONT, OP_PING, OP_TEXT, Frame

from slimeweb_asgi.frames import LARGEST, FrameBoundaries, frame_of, message_of

SIZES = [1, 2, 125, 126, 127, 65535]


def of_client(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)  # type: ignore[arg-type]


def of_server(opcode: int, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, *SIZES])
def test_a_message_is_the_frame_that_the_library_writes(size: int) -> None:
    assert size <= LARGEST
    assert frame_of(1, b"x" * size) == of_server(OP_TEXT, b"x" * size)
    assert frame_of(2, b"x" * size) == of_server(OP_BINARY, b"x" * size)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_of_the_library_is_read(size: int) -> None:
    octets = random.Random(size).randbytes(size)
    assert message_of(of_client(OP_BINARY, octets)) == octets
    text = ("é" * size)[: size // 2] + "x" * (size % 2)
    assert message_of(of_client(OP_TEXT, text.encode())) == text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(of_client(OP_TEXT, b"ab")[:-1], id="less than a frame"),
        pytest.param(of_client(OP_TEXT, b"ab") + b"\x81", id="more than a frame"),
        pytest.param(of_client(OP_TEXT, b""), id="nothing in it"),
        pytest.param(of_client(OP_TEXT, b"ab", fin=False), id="a fragment"),
        pytest.param(of_client(OP_CONT, b"ab"), id="the last fragment"),
        pytest.param(of_client(OP_PING, b"ab"), id="a ping"),
        pytest.param(of_client(OP_TEXT, b"\xff"), id="not UTF-8"),
        pytest.param(b"\xc1" + of_client(OP_TEXT, b"ab")[1:], id="compressed"),
        pytest.param(of_server(OP_TEXT, b"abcd56"), id="not masked"),
        pytest.param(b"\x81\xff" + bytes(131), id="a length of eight bytes"),
        *(pytest.param(of_client(OP_TEXT, b"abc")[:count], id=f"{count} bytes") for count in range(1, 7)),
    ],
)
def test_all_else_is_left_to_the_engine(data: bytes) -> None:
    assert message_of(data) is None


def cut(data: bytes, chance: random.Random) -> Iterator[bytes]:
    while data:
        count = chance.choice([1, 2, 3, 7, 100, 70_000])
        yield data[:count]
        data = data[count:]


@pytest.mark.parametrize("seed", range(20))
def test_boundaries_are_where_frames_end(seed: int) -> None:
    chance = random.Random(seed)
    boundaries, ends = FrameBoundaries(), set[int]()
    sizes = [chance.choice([0, 1, 125, 126, 300, 65535, 65536, 70_000]) for _ in range(12)]
    frames = [of_client(OP_BINARY, bytes(size)) for size in sizes]
    for frame in frames:
        ends.add(max(ends, default=0) + len(frame))
    came = 0
    for piece in cut(b"".join(frames), chance):
        boundaries.feed(piece)
        came += len(piece)
        assert boundaries.are_reached == (came in ends), f"after {came} bytes"
    assert came in ends
