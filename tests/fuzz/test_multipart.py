"""Forms of any shape, and of none (RFC 7578): what is whole is read as it was meant, everything else is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st

from support import multipart
from support.process import ServerProcess
from support.wire import Answer, Wire

Unmoved = Callable[[], AbstractContextManager[None]]
Exercise = Callable[[st.SearchStrategy[Any], Callable[[Any], None]], None]

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C",), exclude_characters='"\\%'), min_size=1, max_size=20
)
CONTENTS = st.one_of(
    st.binary(max_size=2000),
    # What looks like the end of a part, and is not.
    st.sampled_from([b"\r\n", b"\r\n--", f"\r\n--{multipart.BOUNDARY[:-1]}".encode(), b"--", b"\r", b"\n" * 300]),
)
PARTS = st.lists(st.tuples(NAMES, st.none() | NAMES, CONTENTS), max_size=8)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A whole form in which something was changed, cut out or put in."""
    body = bytearray(written(draw(PARTS)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        body[start:end] = draw(st.one_of(st.binary(max_size=40), PIECES))
    return bytes(body)


PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        f"--{multipart.BOUNDARY}".encode(),
        f"\r\n--{multipart.BOUNDARY}\r\n".encode(),
        f"\r\n--{multipart.BOUNDARY}--\r\n".encode(),
        b'Content-Disposition: form-data; name="a"; filename="',
        b"Content-Disposition: form-data; name*=utf-8''%ff",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"\x00",
        b"\xff" * 10,
        b":" * 100,
        b"x" * 9000,
    ]
)
BOUNDARIES = st.one_of(
    st.just(multipart.BOUNDARY), st.text("'()+_,-./:=?abcXYZ019 \"\\;", max_size=75), st.text("-", max_size=70)
)
SCRAPS = st.lists(st.one_of(PIECES, st.binary(max_size=60)), max_size=12).map(b"".join)


def written(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    return multipart.body(
        multipart.part(f'Content-Disposition: form-data; name="{name}"', content)
        if filename is None
        else multipart.file(name, filename, content)
        for name, filename, content in parts
    )


class Sender:
    """Sends bodies over one connection for as long as the server keeps it."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._wire: Wire | None = None

    def send(self, body: bytes, content_type: str, cuts: list[int] | None = None) -> Answer:
        """The answer to a form. `cuts` are where a chunked body is cut; without them it is sent whole."""
        wire = self._wire or self._server.wire()
        self._wire = wire
        framing = f"Content-Length: {len(body)}" if cuts is None else "Transfer-Encoding: chunked"
        wire.send(f"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Type: {content_type}\r\n{framing}\r\n\r\n".encode())
        for piece in [body] if cuts is None else chunked(body, cuts):
            wire.send_until_refused(piece)
        answer = wire.answer()
        if answer.status != 200:
            # It may not have read to the end, and then it closes.
            self.close()
        return answer

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def chunked(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        yield f"{end - start:x}\r\n".encode() + body[start:end] + b"\r\n"
    yield b"0\r\n\r\n"


@pytest.fixture
def sender(target: ServerProcess) -> Iterator[Sender]:
    sender = Sender(target)
    # What is made once, when first needed, is no growth.
    for _ in range(20):
        assert sender.send(written([("file", "a.bin", bytes(100_000))]), multipart.CONTENT_TYPE).status == 200
    sender.close()
    yield sender
    sender.close()


def test_what_is_whole_is_read_as_it_was_meant(exercise: Exercise, sender: Sender, unmoved: Unmoved) -> None:
    def act(case: tuple[list[tuple[str, str | None, bytes]], list[int] | None]) -> None:
        parts, cuts = case
        # A field of a form is text.
        parts = [part for part in parts if part[1] is not None or is_text(part[2])]
        answer = sender.send(written(parts), multipart.CONTENT_TYPE, cuts)
        assert answer.status == 200, answer
        seen = answer.json()
        assert seen["form"] == {name: content.decode() for name, filename, content in parts if filename is None}
        assert [(file["field"], file["size"], file["sha256"]) for file in seen["files"]] == [
            (name, len(content), hashlib.sha256(content).hexdigest())
            for name, filename, content in parts
            if filename is not None
        ]

    with unmoved():
        exercise(st.tuples(PARTS, st.none() | st.lists(st.integers(0, 20_000), max_size=12)), act)
        sender.close()


def test_what_is_damaged_is_read_or_refused(exercise: Exercise, sender: Sender, unmoved: Unmoved) -> None:
    def act(case: tuple[bytes, str]) -> None:
        body, boundary = case
        assert_refused_or_read(sender.send(body, f"multipart/form-data; boundary={boundary}"))

    with unmoved():
        exercise(st.tuples(st.one_of(damaged(), SCRAPS), BOUNDARIES), act)
        sender.close()


def assert_refused_or_read(answer: Answer) -> None:
    assert answer.status in (200, 400), answer
    assert answer.status == 200 or len(answer.body) < 300, answer


def is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
