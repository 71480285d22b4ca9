"""examples/chat, from its page to its rooms."""

from __future__ import annotations

import json
import re
import runpy
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from slimeweb.testing import TestClient

CHAT = Path(__file__).parents[2] / "examples" / "chat" / "main.py"
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Guest:
    """Someone in a room."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._reader = self.socket.makefile("rb")
        self.socket.sendall(HANDSHAKE.format(path=path).encode())
        assert b" 101 " in self._reader.readline()
        while self._reader.readline().strip():
            pass

    def says(self, text: str) -> None:
        body = text.encode()
        assert len(body) < 126
        self.socket.sendall(bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body)

    def hears(self) -> Any:
        first, length = self._reader.read(2)
        assert first == 0x81
        assert length < 126
        return json.loads(self._reader.read(length))

    def leaves(self) -> None:
        self._reader.close()
        self.socket.close()


@pytest.fixture
def port() -> Iterator[int]:
    with TestClient(runpy.run_path(str(CHAT))["app"]) as client:
        page = client.get("/?room=tea")
        assert page.headers["content-type"].startswith("text/html")
        assert not re.findall(r"(?:src|href)=", page.text), "the page needs nothing but itself"
        yield client.port


def test_a_conversation(port: int) -> None:
    with ExitStack() as stack:

        def guest(path: str) -> Guest:
            guest = Guest(port, path)
            stack.callback(guest.leaves)
            return guest

        ada = guest("/rooms/tea?nick=ada")
        assert ada.hears() == {"kind": "arrived", "nick": "ada", "here": 1}
        bob = guest("/rooms/tea?nick=%20bob%20")
        assert ada.hears() == bob.hears() == {"kind": "arrived", "nick": "bob", "here": 2}
        carol = guest("/rooms/coffee")
        assert re.fullmatch("guest [0-9a-f]{4}", carol.hears()["nick"])
        bob.says("hello")
        bob.says("   ")
        assert ada.hears() == bob.hears() == {"kind": "said", "nick": "bob", "here": 2, "text": "hello"}
        bob.leaves()
        assert ada.hears() == {"kind": "left", "nick": "bob", "here": 1}
