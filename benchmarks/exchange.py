"""A strict little client of HTTP/1.1, which shows how an answer is framed, and one of WebSocket."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self, cast

from benchmarks.workloads import Request

__all__ = ["BadAnswer", "Connection", "EchoConnection", "Reply", "read_reply"]

LINE_LIMIT = 64 * 1024
FINAL_TEXT = 0x81
MASKED = 0x80
UPGRADE = Request(
    "/echo",
    headers=(
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "c2xpbWV3ZWIgbWVhc3VyZQ=="),
    ),
)
SHORT = 125
"""The longest payload whose length is in the second byte of its frame (RFC 6455, section 5.2)."""


class BadAnswer(Exception):
    """What came back is no answer to the request."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `chunks` is how many chunks carried the body, None when Content-Length framed it."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: int | None

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class _Client:
    """A connection to a port of the loopback interface; `timeout` is in seconds."""

    def __init__(self, port: int, timeout: float) -> None:
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._stream = cast(BinaryIO, self._socket.makefile("rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _send(self, request: Request) -> None:
        fields = [("Host", f"127.0.0.1:{self._port}"), *request.headers]
        if request.body_size:
            fields.append(("Content-Length", str(request.body_size)))
        lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + request.body)


class Connection(_Client):
    """A keep-alive connection."""

    def __init__(self, port: int, timeout: float = 5.0) -> None:
        super().__init__(port, timeout)

    def exchange(self, request: Request) -> Reply:
        """Sends the request and reads its answer. BadAnswer, or OSError when the connection fails."""
        self._send(request)
        return read_reply(self._stream)


class EchoConnection(_Client):
    """A WebSocket connection (RFC 6455) that is answered with what it says. BadAnswer where it is not opened."""

    def __init__(self, port: int, timeout: float = 5.0) -> None:
        super().__init__(port, timeout)
        try:
            self._send(UPGRADE)
            status = _line(self._stream)
            if not status.startswith("HTTP/1.1 101 "):
                raise BadAnswer(f"no WebSocket connection: {status}")
            while _line(self._stream):
                pass
        except BaseException:
            self.close()
            raise

    def exchange(self, text: bytes) -> None:
        """Sends a text of at most 125 bytes and reads it again. BadAnswer for anything else, OSError as above."""
        if len(text) > SHORT:
            raise ValueError(f"a text of {len(text)} bytes: make it {SHORT} at most")
        # A mask of zeros leaves the payload as it is, which a server need not know.
        self._socket.sendall(bytes([FINAL_TEXT, MASKED | len(text), 0, 0, 0, 0]) + text)
        frame = _exactly(self._stream, 2 + len(text))
        if frame != bytes([FINAL_TEXT, len(text)]) + text:
            raise BadAnswer(f"{frame!r} where the echo of {text!r} was expected")


def read_reply(stream: BinaryIO) -> Reply:
    """Reads one answer of HTTP/1.1 (RFC 9112); BadAnswer for anything else."""
    version, _, rest = _line(stream).partition(" ")
    status = rest[:3]
    if version != "HTTP/1.1" or not status.isdigit():
        raise BadAnswer(f"no HTTP/1.1 status line: {version} {rest}")
    headers: dict[str, str] = {}
    while line := _line(stream):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunks = _chunks(stream)
        return Reply(int(status), headers, b"".join(chunks), len(chunks))
    if "content-length" not in headers:
        raise BadAnswer("neither Content-Length nor chunked: the connection cannot be kept alive")
    return Reply(int(status), headers, _exactly(stream, _number(headers["content-length"], 10)), None)


def _chunks(stream: BinaryIO) -> list[bytes]:
    chunks: list[bytes] = []
    while size := _number(_line(stream).partition(";")[0], 16):
        chunks.append(_exactly(stream, size))
        if _line(stream):
            raise BadAnswer("a chunk that is longer than its size")
    while _line(stream):
        pass
    return chunks


def _number(text: str, base: int) -> int:
    try:
        return int(text.strip(), base)
    except ValueError as error:
        raise BadAnswer(f"a length of {text!r}") from error


def _line(stream: BinaryIO) -> str:
    line = stream.readline(LINE_LIMIT)
    if not line.endswith(b"\r\n"):
        raise BadAnswer("the connection was closed" if not line else f"a line without its end: {line[:80]!r}")
    return line[:-2].decode("latin-1")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BadAnswer(f"{len(data)} bytes where {size} were announced")
    return data
