"""A WebSocket client that shares no code with the server: it says what a test tells it to, good or bad."""

from __future__ import annotations

import base64
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TIMEOUT = 10.0
"""Seconds after which a test gives up waiting."""
RECEIVE_BUFFER = 256 * 1024
"""How many bytes the kernel keeps for a client that does not read, about."""


class Frame(NamedTuple):
    fin: bool
    rsv: int
    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE, self
        return int.from_bytes(self.payload[:2], "big")


def handshake(path: str, headers: dict[str, str | None] | None = None) -> bytes:
    """A request to upgrade; a header that is None is left out."""
    fields: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
        "Sec-WebSocket-Version": "13",
        **(headers or {}),
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode()


class Client:
    """One connection. `status`, `headers` are those of the answer to the opening handshake."""

    def __init__(self, port: int, path: str, headers: dict[str, str | None] | None = None) -> None:
        self.socket = socket.socket()
        # Before connecting: else the kernel may take in tens of MiB for a client that does not read (tcp_rmem).
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(("127.0.0.1", port))
        self._unread = b""
        self.socket.sendall(handshake(path, headers))
        while b"\r\n\r\n" not in self._unread:
            self._fill()
        head, self._unread = self._unread.split(b"\r\n\r\n", 1)
        self.head = head.decode()
        first, *rest = self.head.split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in rest)}

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> None:
        self.raw(frame(opcode, payload, fin=fin, rsv=rsv))

    def send(self, data: str | bytes) -> None:
        self.frame(TEXT, data.encode()) if isinstance(data, str) else self.frame(BINARY, data)

    def read(self) -> Frame:
        first, second = self._take(2)
        assert not second & 0x80, "a server does not mask"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return Frame(bool(first & 0x80), first >> 4 & 7, first & 0x0F, self._take(length))

    def message(self) -> str | bytes:
        """The next message; pings before it are answered."""
        while (received := self.read()).opcode == PING:
            self.frame(PONG, received.payload)
        assert received.opcode in (TEXT, BINARY), received
        return received.payload.decode() if received.opcode == TEXT else received.payload

    def closed(self) -> Frame:
        """The close frame that comes next, answered, and the end of the connection after it."""
        while (received := self.read()).opcode != CLOSE:
            pass
        with suppress(OSError):
            self.frame(CLOSE, received.payload[:2])
        self.at_end()
        return received

    def at_end(self) -> None:
        """Waits until the server has closed the connection."""
        with suppress(ConnectionResetError):
            while self.socket.recv(65536):
                pass

    def abort(self) -> None:
        """Goes without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def _take(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._fill()
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def _fill(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self._unread += data


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    key = os.urandom(4)
    length = len(payload)
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 1 << 16:
        size = struct.pack(">BH", 0x80 | 126, length)
    else:
        size = struct.pack(">BQ", 0x80 | 127, length)
    repeated = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    masked = (int.from_bytes(payload, "big") ^ repeated).to_bytes(length, "big")
    return bytes([fin << 7 | rsv << 4 | opcode]) + size + key + masked


class Served:
    """An application that is being served."""

    def __init__(self, client: TestClient, stack: ExitStack) -> None:
        self.http = client
        self._stack = stack

    def connect(self, path: str = "/", **headers: str | None) -> Client:
        client = Client(self.http.port, path, {name.replace("_", "-"): value for name, value in headers.items()})
        self._stack.callback(client.close)
        return client


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serves an application until the test ends."""
    with ExitStack() as stack:

        def start(app: Slime, **arguments: Any) -> Served:
            return Served(stack.enter_context(TestClient(app, **arguments)), stack)

        yield start


@pytest.fixture
def connect_to() -> Iterator[Callable[..., Client]]:
    """Connects to a port."""
    with ExitStack() as stack:

        def connect(port: int, path: str = "/") -> Client:
            client = Client(port, path)
            stack.callback(client.close)
            return client

        yield connect


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for what other threads bring about and nobody announces."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.002)

    return wait


@pytest.fixture
def make_frame() -> Callable[..., bytes]:
    return frame


@pytest.fixture
def make_handshake() -> Callable[..., bytes]:
    return handshake
