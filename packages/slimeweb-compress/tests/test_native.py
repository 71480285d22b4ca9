"""The encoders: every coding, level and cut of the input, decoded by somebody else's decoder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimeweb_compress._native import Encoder

Decode = Callable[..., bytes]

CODINGS = ("gzip", "br", "zstd")
LEVELS = [("gzip", level) for level in range(1, 10)]
LEVELS += [("br", level) for level in range(1, 12)]
LEVELS += [("zstd", level) for level in range(1, 23)]

TEXT = "".join(f"line {n} of a text, {n * 2654435761 % 2**32}\n" for n in range(2500)).encode()


@pytest.mark.parametrize(("coding", "level"), LEVELS)
def test_every_level_decodes(coding: str, level: int, decode: Decode) -> None:
    encoder = Encoder(coding, level, len(TEXT))
    encoded = encoder.push(TEXT) + encoder.finish()
    assert len(encoded) < len(TEXT) // 2
    assert decode(coding, encoded) == TEXT


@pytest.mark.parametrize(("coding", "highest"), [("gzip", 9), ("br", 11), ("zstd", 22)])
def test_levels_that_there_are_not(coding: str, highest: int) -> None:
    for level in (0, highest + 1):
        with pytest.raises(ValueError, match=f"^{coding} has no level {level}: use 1 to {highest}$"):
            Encoder(coding, level)


def test_codings_that_there_are_not() -> None:
    with pytest.raises(
        ValueError, match=r'^"deflate" is no coding that there is an encoder for: use gzip, br or zstd$'
    ):
        Encoder("deflate", 1)


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_flushed_decodes_at_once(coding: str, decode: Decode, decode_steps: Callable[..., list[bytes]]) -> None:
    encoder = Encoder(coding, 1)
    pieces = [b"first", b"\x00", TEXT, b"last"]
    sent = [encoder.push(piece) + encoder.flush() for piece in pieces]
    assert decode_steps(coding, sent) == pieces
    assert decode(coding, *sent, encoder.finish()) == b"".join(pieces)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_flush_with_nothing_new_sends_nothing(coding: str) -> None:
    encoder = Encoder(coding, 1)
    assert encoder.flush() == b""
    assert encoder.push(b"x") + encoder.flush() != b""
    assert encoder.flush() == b""


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_follows_the_end(coding: str, decode: Decode) -> None:
    encoder = Encoder(coding, 1)
    assert decode(coding, encoder.finish()) == b""
    for call in (encoder.finish, encoder.flush, lambda: encoder.push(b"x")):
        with pytest.raises(RuntimeError, match="the encoder has ended: make one for each body"):
            call()


def test_a_wrong_length_is_an_error() -> None:
    encoder = Encoder("zstd", 1, 3)
    with pytest.raises(RuntimeError, match=r"^zstd failed: "):
        _ = encoder.push(b"more than three") + encoder.finish()
    with pytest.raises(RuntimeError, match="the encoder has ended"):
        encoder.push(b"x")


@given(
    coding=st.sampled_from(CODINGS),
    level=st.integers(1, 9),
    pieces=st.lists(st.tuples(st.binary(max_size=3000), st.booleans()), max_size=8),
    announced=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_in_any_pieces(
    decode: Decode, coding: str, level: int, pieces: list[tuple[bytes, bool]], announced: bool
) -> None:
    body = b"".join(piece for piece, _ in pieces)
    encoder = Encoder(coding, level, len(body) if announced else None)
    sent = [encoder.push(piece) + (encoder.flush() if flushed else b"") for piece, flushed in pieces]
    assert decode(coding, *sent, encoder.finish()) == body


@pytest.mark.parametrize("coding", CODINGS)
def test_many_threads_with_an_encoder_each(coding: str, decode: Decode) -> None:
    barrier = threading.Barrier(8)

    def work(seed: int) -> bool:
        barrier.wait()
        for turn in range(20):
            body = TEXT[seed * 1000 : seed * 1000 + 20_000 + turn]
            encoder = Encoder(coding, 1, len(body))
            if decode(coding, encoder.push(body), encoder.finish()) != body:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_one_encoder_in_many_threads_answers_or_refuses() -> None:
    """Which it does depends on timing; that it never mixes up its state does not."""
    encoder = Encoder("gzip", 9)
    barrier = threading.Barrier(4)

    def work(_: int) -> int:
        barrier.wait()
        done = 0
        for _ in range(50):
            try:
                encoder.push(TEXT)
                done += 1
            except RuntimeError as error:
                if "overlap" not in str(error):
                    raise
        return done

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) > 0
    encoder.finish()


@pytest.mark.parametrize("coding", CODINGS)
def test_others_run_while_it_compresses(coding: str) -> None:
    """With the GIL, too: a thread counts on during one call that takes long."""
    counting, ended = threading.Event(), threading.Event()
    counted, during = [0], []

    def compress() -> None:
        encoder = Encoder(coding, 9, None)
        counting.wait(10)
        # On a busy machine one call may be over before the other thread's turn comes.
        for _ in range(50):
            before = counted[0]
            encoder.push(40 * TEXT)
            during.append(counted[0] - before)
            if during[-1] > 10:
                break
        ended.set()

    thread = threading.Thread(target=compress)
    thread.start()
    while not ended.is_set():
        counted[0] += 1
        counting.set()
    thread.join()
    assert max(during) > 10
