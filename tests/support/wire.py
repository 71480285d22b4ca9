"""A connection at the level of bytes, for what no HTTP client would send."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

__all__ = ["Answer", "Wire"]


@dataclass(frozen=True)
class Answer:
    """One response as it came over the wire. Header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The last value of a header, None when there is none."""
        values = self.header_all(name)
        return values[-1] if values else None

    def header_all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """Sends bytes and reads responses; every wait ends with TimeoutError after `timeout` seconds."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._buffer = bytearray()

    @classmethod
    def tcp(cls, host: str, port: int, *, timeout: float = 15.0) -> Wire:
        sock = socket.create_connection((host, port), timeout=timeout)
        # Small pieces go out one by one, as they are sent.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    @classmethod
    def unix(cls, path: str, *, timeout: float = 15.0) -> Wire:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(path)
        return cls(sock)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_until_refused(self, data: bytes) -> None:
        """Sends as much as the server takes: one that answers early may close before it has read everything."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def answer(self, *, to: str = "GET") -> Answer:
        """The next response. `to` is the method that it answers: one to HEAD has no body (RFC 9112, section 6.3)."""
        while True:
            answer = self.next_answer(to=to)
            if answer.status >= 200 or answer.status == 101:
                return answer

    def next_answer(self, *, to: str = "GET") -> Answer:
        """As `answer`, but interim ones such as 100 count too."""
        head = self._until(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        version, _, rest = status_line.partition(" ")
        assert version in ("HTTP/1.1", "HTTP/1.0"), status_line
        status = int(rest[:3])
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        answer = Answer(status, tuple(headers), b"")
        return Answer(status, answer.headers, self._body(answer, to))

    def _body(self, answer: Answer, to: str) -> bytes:
        if to == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return b""
        if answer.header("transfer-encoding") == "chunked":
            return self._chunked()
        length = answer.header("content-length")
        if length is not None:
            return self.exactly(int(length))
        while self._more():
            pass
        return self._take(len(self._buffer))

    def _chunked(self) -> bytes:
        body = bytearray()
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self._until(b"\r\n") != b"\r\n":
                    pass
                return bytes(body)
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n", "a chunk must end with CRLF"

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self._buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _until(self, mark: bytes) -> bytes:
        while (found := self._buffer.find(mark)) < 0:
            if not self._more():
                raise EOFError(f"the server closed the connection after {bytes(self._buffer)!r}")
        return self._take(found + len(mark))

    def exactly(self, count: int) -> bytes:
        """The next `count` bytes."""
        while len(self._buffer) < count:
            if not self._more():
                raise EOFError(f"the server closed the connection, {count - len(self._buffer)} bytes short")
        return self._take(count)

    def is_at_end(self) -> bool:
        """Waits for more: True when the server has closed the connection instead."""
        return not self._buffer and not self._more()

    def is_closed_by_server(self) -> bool:
        """Waits for the end of the connection: False when the time is up or something more comes instead."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
