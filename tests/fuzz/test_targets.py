"""Targets over HTTP/2 in header blocks of any make (RFC 7541): what is read of them is what HTTP/1.1 reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hpack import Encoder, NeverIndexedHeaderTuple
from hpack.hpack import encode_integer
from hyperframe.frame import ContinuationFrame, HeadersFrame
from hypothesis import strategies as st

from support.certificate import tls_variables
from support.http2 import Http2
from support.process import ServerProcess
from support.wire import Answer

Unmoved = Callable[[], AbstractContextManager[None]]
Exercise = Callable[[st.SearchStrategy[Any], Callable[[Any], None]], None]

APP = """
from slimeweb import Slime

app = Slime(__file__)

@app.route("/ping")
def ping(req, resp):
    return "pong"

@app.route("/{rest:path}")
def seen(req, resp):
    target = {"path": req.path, "raw_path": req.raw_path, "query": req.query, "raw": req.query_string}
    fields = {name: value for name, value in req.header.items() if name != "host"}
    return {**target, "rest": req.params["rest"], "fields": fields}

app.serve()
"""
PATH_INDEX = 4
"""`:path` in the static table."""
TABLE = 4096

# A line feed or a return would end the line of HTTP/1.1.
BYTES = st.one_of(
    st.sampled_from([b'"', b"<", b">", b"\xe9", "é€".encode(), b"%22", b"a", b"&", b"=", b"?", b"{"]),
    st.binary(min_size=1, max_size=8).map(lambda data: data.translate(None, b"\r\n")),
)
PIECES = st.lists(BYTES, max_size=6).map(b"".join)
TARGETS = st.one_of(
    # The same ones again and again, so that they come out of the table.
    st.sampled_from(
        [
            b'/a?f={"a":1}',
            b"/b?<>",
            b"/\xe9",
            b"/a?f=%22",
            b"/",
            b"/index.html",
            b'/?"',
            b"/a?" + b'"' * 900,
            b"/a?" + b"<" * 7000,
        ]
    ),
    st.builds(lambda query: b"/a?" + query, PIECES),
    st.builds(lambda path, query: b"/" + path + b"?" + query, PIECES, PIECES),
    st.builds(lambda byte, count: b"/a?" + byte * count, BYTES, st.integers(1, 300)),
    st.builds(lambda path, fragment: b"/" + path + b"#" + fragment, PIECES, PIECES),
    # Without a slash. A space would begin another part of the line of HTTP/1.1.
    st.builds(lambda first, rest: first + rest.replace(b" ", b""), st.sampled_from([b"#", b"?", b"a", b'"']), PIECES),
)
KINDS = st.sampled_from(["table", "table", "table", "never", "without", "without, named"])


@dataclass(frozen=True)
class Request:
    target: bytes
    kind: str
    huffman: bool
    cookie: bytes
    table_size: int | None
    padding: int
    prior: bool
    cuts: tuple[int, ...]

    def block(self, encoder: Encoder) -> bytes:
        if self.table_size is not None:
            encoder.header_table_size = self.table_size
        block = encoder.encode([(":method", "GET"), (":scheme", "https"), (":authority", "localhost")], self.huffman)
        if self.kind == "table":
            block += encoder.encode([(b":path", self.target)], self.huffman)
        elif self.kind == "never":
            block += encoder.encode([NeverIndexedHeaderTuple(b":path", self.target)], self.huffman)
        else:
            block += b"\0" + self.text(encoder, b":path") if self.kind.endswith("named") else bytes([PATH_INDEX])
            block += self.text(encoder, self.target)
        return bytes(block + encoder.encode([(b"cookie", self.cookie)], self.huffman))

    def text(self, encoder: Encoder, value: bytes) -> bytes:
        encoded = encoder.huffman_coder.encode(value) if self.huffman else value
        length = encode_integer(len(encoded), 7)
        length[0] |= 0x80 if self.huffman else 0
        return bytes(length + encoded)

    def frames(self, encoder: Encoder, stream: int) -> bytes:
        block = self.block(encoder)
        places = [0, *sorted(cut % (len(block) + 1) for cut in self.cuts), len(block)]
        first, *rest = [block[start:end] for start, end in pairwise(places)]
        flags = ["END_STREAM", *(["PADDED"] if self.padding else []), *(["PRIORITY"] if self.prior else [])]
        head = HeadersFrame(stream, first, flags=flags, pad_length=self.padding)
        frames: list[HeadersFrame | ContinuationFrame] = [head, *(ContinuationFrame(stream, piece) for piece in rest)]
        frames[-1].flags.add("END_HEADERS")
        return b"".join(frame.serialize() for frame in frames)


REQUESTS = st.builds(
    Request,
    target=TARGETS,
    kind=KINDS,
    huffman=st.booleans(),
    cookie=st.sampled_from([b"a=1", b"a=2", b"a=3", b"a=" + b"x" * 500]),
    table_size=st.one_of(st.none(), st.none(), st.sampled_from([0, 100, 1500, TABLE])),
    padding=st.one_of(st.just(0), st.integers(1, 255)),
    prior=st.booleans(),
    cuts=st.lists(st.integers(0, 5000), max_size=3).map(tuple),
)
CONNECTIONS = st.tuples(st.lists(REQUESTS, min_size=1, max_size=12), st.lists(st.integers(0, 20_000), max_size=12))


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("targets") / "main.py"
    script.write_text(APP)
    return script


@pytest.fixture(scope="module")
def plain(script: Path) -> Iterator[ServerProcess]:
    with ServerProcess(script, workers=1) as server:
        yield server.wait_until_serving()


@pytest.fixture(scope="module")
def target(script: Path, uploads: Path) -> Iterator[ServerProcess]:
    """The server under fire. It must end well afterwards."""
    server = ServerProcess(script, env={"SLIME_UPLOAD_DIR": str(uploads), **tls_variables(script.parent)}, workers=1)
    try:
        yield server.wait_until_serving()
        assert server.stop() == 0, server.output
    finally:
        server.kill()


def over_http1(server: ServerProcess, request: Request) -> Answer:
    with server.wire() as wire:
        lines = [b"GET " + request.target + b" HTTP/1.1", b"Host: localhost", b"Cookie: " + request.cookie, b"", b""]
        wire.send(b"\r\n".join(lines))
        return wire.answer()


def over_http2(connection: Http2, requests: list[Request], cuts: list[int]) -> list[Answer]:
    encoder, sent, streams = Encoder(), b"", []
    for request in requests:
        stream: int = connection.h2.get_next_available_stream_id()
        # For the state of the stream alone: what the h2 library would send is thrown away.
        connection.h2.send_headers(stream, [(":method", "GET")], end_stream=True)
        connection.h2.clear_outbound_data_buffer()
        connection.events[stream] = []
        streams.append(stream)
        sent += request.frames(encoder, stream)
    places = [0, *sorted(cut % (len(sent) + 1) for cut in cuts), len(sent)]
    for start, end in pairwise(places):
        connection.socket.sendall(sent[start:end])
    return [connection.answer(stream) for stream in streams]


def test_every_target_is_read_as_over_http1(
    plain: ServerProcess, target: ServerProcess, exercise: Exercise, unmoved: Unmoved
) -> None:
    def act(case: tuple[list[Request], list[int]]) -> None:
        requests, cuts = case
        with target.http2(validate=False) as connection:
            got = over_http2(connection, requests, cuts)
        for request, answer in zip(requests, got, strict=True):
            expected = over_http1(plain, request)
            assert answer.status == expected.status, request
            if answer.status == 200:
                assert answer.json() == expected.json(), request

    with unmoved():
        exercise(CONNECTIONS, act)
