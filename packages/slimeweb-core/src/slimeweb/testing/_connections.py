"""The connections of a test client: one for each thread, kept alive, and one for each stream and each upgrade."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any, cast

from slimeweb.testing._request import SentFields

__all__ = ["Connection", "Connections", "answer_of", "shut_down"]

Connection = http.client.HTTPConnection


class Connections:
    """Usable from any thread. `close` ends them all, whoever waits for one."""

    def __init__(self, url: str, port: int, timeout: float) -> None:
        self._url = url
        self._port = port
        self._timeout = timeout
        self._lock = threading.Lock()
        # By process too: one that a test forks has the sockets of this one, and must not use them.
        self._kept: dict[tuple[int, threading.Thread], Connection] = {}
        self._own: set[Connection] = set()

    def of_thread(self) -> Connection:
        """This thread's connection, connected or not."""
        key = _owner()
        with self._lock:
            connection = self._kept.get(key)
            if connection is None:
                for ended in [each for each in self._kept if each[0] != key[0] or not each[1].is_alive()]:
                    self._kept.pop(ended).close()
                connection = self._kept[key] = self._make()
        if connection.sock is not None and _is_over(connection.sock):
            connection.close()
        return connection

    def discard(self, connection: Connection) -> None:
        """Closes a connection and drops it, with the part of a request that it may hold."""
        connection.close()
        with self._lock:
            self._own.discard(connection)
            if self._kept.get(_owner()) is connection:
                del self._kept[_owner()]

    def new(self) -> Connection:
        """A connection for one request alone; `discard` ends it."""
        connection = self._make()
        with self._lock:
            self._own.add(connection)
        return connection

    def close(self) -> None:
        """Closes them all."""
        with self._lock:
            connections = [*self._kept.values(), *self._own]
            self._kept.clear()
            self._own.clear()
        for connection in connections:
            if connection.sock is not None:
                shut_down(connection.sock)
            connection.close()

    def _make(self) -> Connection:
        if self._url.startswith("unix:"):
            return _UnixConnection(self._url.removeprefix("unix:"), timeout=self._timeout)
        if self._url.startswith("https:"):
            # Whatever certificate the application has: it is this very process that shows it.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("127.0.0.1", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def answer_of(
    connection: Connection, method: str, target: str, body: bytes | tuple[bytes, ...], headers: SentFields
) -> http.client.HTTPResponse:
    """Sends a request; gives the head of the answer, with its body to be read."""
    content = iter(body) if isinstance(body, tuple) else body or None
    connection.request(method, target, body=content, headers=cast(Mapping[str, str], headers))
    return connection.getresponse()


def shut_down(sock: socket.socket) -> None:
    """Ends both sides of a socket, which wakes those who wait for it."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _owner() -> tuple[int, threading.Thread]:
    return os.getpid(), threading.current_thread()


def _is_over(sock: Any) -> bool:
    """Whether an idle connection is readable, which means that it has been closed."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
