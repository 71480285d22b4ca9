"""`client.websocket(…)`: the client's end of a WebSocket connection, for tests."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from slimeweb import SlimeError
from slimeweb.testing import TestClient, TestResponse, TestUpgrade
from slimeweb_ws._native import ClientFrames
from slimeweb_ws.handshake import VERSION, accept_key

__all__ = ["TestWebSocket", "WebSocketClosed", "WebSocketRefused", "websocket"]

_MAX_MESSAGE_SIZE = 64 * 1024 * 1024


class WebSocketRefused(SlimeError):
    """The server has not opened the connection. `response` is what it has answered instead."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__(f"the server has answered {response.status_code}: {response.text[:200]}")
        self.response = response


class WebSocketClosed(SlimeError):
    """The connection has ended, with `code` and `reason`: 1005 where the server gave no code, 1006 where it ended
    without a closing handshake.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection has been closed with {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason


class TestWebSocket:
    """An open connection, without compression. `response` is the answer to its handshake, `subprotocol` the one that
    the server has chosen. Pings are answered while something is received. The end of the `with` statement closes it
    with 1000.
    """

    __test__ = False

    def __init__(self, upgrade: TestUpgrade) -> None:
        self._upgrade = upgrade
        self.response = upgrade.response
        self.subprotocol: str | None = upgrade.response.headers.get("sec-websocket-protocol")
        self._frames = ClientFrames(_MAX_MESSAGE_SIZE)
        self._reading = threading.Lock()
        self._messages: deque[str | bytes] = deque()
        self._closed: tuple[int, str] | None = None
        self._has_sent_close = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.close()
        finally:
            self._upgrade.close()

    def __iter__(self) -> Iterator[str | bytes]:
        """The messages, until the server closes the connection."""
        try:
            while True:
                yield self.receive()
        except WebSocketClosed:
            return

    @property
    def close_code(self) -> int | None:
        """The code that the server has closed with, as `WebSocketClosed` has it; `None` while it has not, or nothing
        has been received since.
        """
        return None if self._closed is None else self._closed[0]

    @property
    def close_reason(self) -> str:
        """The text that came with the code."""
        return "" if self._closed is None else self._closed[1]

    def send(self, data: str | bytes) -> None:
        """Sends a message. `TypeError` for another type, `WebSocketClosed` where the connection has been closed."""
        frame = ClientFrames.message(data, os.urandom(4))
        if self._closed is not None:
            raise WebSocketClosed(*self._closed)
        self._upgrade.send(frame)

    def send_json(self, data: Any) -> None:
        """Sends a value as a text message of JSON."""
        self.send(json.dumps(data, allow_nan=False))

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message. `WebSocketClosed` where the server closes the connection instead, `TimeoutError` where
        nothing comes for so many seconds, those of the client without.
        """
        with self._reading:
            while not self._messages:
                if self._closed is not None:
                    raise WebSocketClosed(*self._closed)
                self._read(timeout)
            return self._messages.popleft()

    def receive_json(self, timeout: float | None = None) -> Any:
        """The next message, read as JSON."""
        return json.loads(self.receive(timeout))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection, and waits for the server to do so; what comes before that can still be received.
        `ValueError` for a code that must not be sent.
        """
        frame = ClientFrames.close(code, reason, os.urandom(4))
        if self._closed is None and not self._has_sent_close:
            self._has_sent_close = True
            try:
                self._upgrade.send(frame)
            except OSError:
                self._closed = (1006, "")
        with self._reading:
            while self._closed is None:
                self._read(None)

    def _read(self, timeout: float | None) -> None:
        data = self._upgrade.receive(timeout)
        if not data:
            self._closed = (1006, "")
        for kind, value in self._frames.decode(data):
            match kind:
                case "message":
                    self._messages.append(value)
                case "ping":
                    self._upgrade.send(ClientFrames.pong(value, os.urandom(4)))
                case "close":
                    self._answer_close(*value)

    def _answer_close(self, code: int, reason: str) -> None:
        self._closed = (code, reason)
        if not self._has_sent_close:
            self._has_sent_close = True
            self._upgrade.send(ClientFrames.close(1000 if code == 1005 else code, "", os.urandom(4)))


def websocket(client: TestClient, path: str, *, subprotocols: Sequence[str] = (), **arguments: Any) -> TestWebSocket:
    """Opens a connection; the arguments are those of `client.upgrade`. `WebSocketRefused` where the server refuses.

    with client.websocket("/chat") as ws:
        ws.send("hello")
        assert ws.receive() == "hello"
    """
    key = base64.b64encode(os.urandom(16)).decode()
    headers: dict[str, str] = {"Sec-WebSocket-Key": key, "Sec-WebSocket-Version": VERSION}
    if subprotocols:
        headers["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    upgrade = client.upgrade(
        path, "websocket", **{**arguments, "headers": headers_with(arguments.get("headers"), headers)}
    )
    if not upgrade.is_switched:
        upgrade.close()
        raise WebSocketRefused(upgrade.response)
    if upgrade.response.headers.get("sec-websocket-accept") != accept_key(key):
        upgrade.close()
        raise WebSocketRefused(upgrade.response)
    return TestWebSocket(upgrade)


def headers_with(given: Any, own: dict[str, str]) -> list[tuple[str, Any]]:
    """Headers that are given, after those of the handshake that they do not name."""
    pairs = list(given.items() if hasattr(given, "items") else given or ())
    named = {name.lower() for name, _ in pairs}
    return [*((name, value) for name, value in own.items() if name.lower() not in named), *pairs]
