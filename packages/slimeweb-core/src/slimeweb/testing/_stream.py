"""Answers that are read as they come, and connections that have switched to another protocol."""

from __future__ import annotations

import codecs
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from slimeweb.testing._connections import shut_down
from slimeweb.testing._response import TestResponse

__all__ = ["Exchange", "TestStream", "TestUpgrade"]

_SIZE = 65536


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that has an answer's head, on a connection of its own. `sock` is the connection's, `None` where the
    answer has ended it; `met` gives what the request has met in the application since, where the client is to raise it.
    """

    response: TestResponse
    source: http.client.HTTPResponse
    sock: socket.socket | None
    discard: Callable[[], None]
    met: Callable[[], BaseException | None]


class TestStream:
    """An answer whose body is read as it comes. `response` has status and headers, its `content` is empty."""

    __test__ = False

    def __init__(self, exchange: Exchange) -> None:
        self.response = exchange.response
        self._exchange = exchange

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection, whether all has been read or not."""
        _close(self._exchange)

    def pieces(self) -> Iterator[bytes]:
        """The body, piece by piece, as the server sends them.

        `http.client.IncompleteRead` where it is cut, `TimeoutError` where nothing comes for the client's `timeout`; the
        stream is at an end after either.
        """
        while piece := self._read():
            yield piece

    def lines(self) -> Iterator[str]:
        """The body as text (UTF-8), line by line, without the ends of the lines: CR, LF or CRLF."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        waiting = ""
        for piece in self.pieces():
            waiting += decoder.decode(piece)
            # The LF of a CRLF may be in the next piece.
            held = "\r" if waiting.endswith("\r") else ""
            *lines, waiting = waiting.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            waiting += held
            yield from lines
        waiting = (waiting + decoder.decode(b"", final=True)).removesuffix("\r")
        if waiting:
            yield waiting

    def read(self) -> bytes:
        """All that has not been read yet."""
        return b"".join(self.pieces())

    def _read(self) -> bytes:
        source = self._exchange.source
        piece, error = b"", None
        try:
            piece = source.read1(_SIZE)
            if not piece and source.length:
                raise http.client.IncompleteRead(b"", source.length)
        except (http.client.HTTPException, OSError):
            error = self._exchange.met()
            if error is None:
                raise
        except (AttributeError, ValueError) as closed:
            # What http.client's own objects make of an end in the midst of a call.
            raise ConnectionAbortedError("the stream has been closed") from closed
        if error is not None:
            raise error
        return piece


class TestUpgrade:
    """A connection that the server has been asked to switch to another protocol (RFC 9110, section 7.8). `response` is
    its answer: a 101, or a whole one where it has refused, and then nothing can be sent. For plugins that add clients
    of their protocols.
    """

    __test__ = False

    def __init__(self, exchange: Exchange) -> None:
        self.response = exchange.response
        self._exchange = exchange
        self._sock = exchange.sock if exchange.response.status_code == 101 else None
        self._timeout = None if self._sock is None else self._sock.gettimeout()
        self._waiting = b"" if self._sock is None else _taken_along(self._sock, exchange.source)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_switched(self) -> bool:
        """Whether the server has switched."""
        return self._sock is not None

    def send(self, data: bytes) -> None:
        """Sends bytes. `OSError` where the connection has ended."""
        self._socket().sendall(data)

    def receive(self, timeout: float | None = None) -> bytes:
        """The next bytes; empty at the end of the connection. `TimeoutError` where none come for so many seconds, those
        of the client without: the next call goes on.
        """
        sock = self._socket()
        if self._waiting:
            data, self._waiting = self._waiting, b""
            return data
        sock.settimeout(self._timeout if timeout is None else max(timeout, 1e-6))
        try:
            return sock.recv(_SIZE)
        except ConnectionResetError:
            return b""
        finally:
            if sock.fileno() >= 0:
                sock.settimeout(self._timeout)

    def close(self) -> None:
        """Closes the connection."""
        _close(self._exchange)

    def _socket(self) -> socket.socket:
        if self._sock is None:
            raise ConnectionError(f"the server has not switched protocols: it has answered {self.response.status_code}")
        return self._sock


def _close(exchange: Exchange) -> None:
    if exchange.sock is not None:
        # Whoever waits for it in another thread is not to wait on.
        shut_down(exchange.sock)
    exchange.source.close()
    exchange.discard()


def _taken_along(sock: socket.socket, source: http.client.HTTPResponse) -> bytes:
    """What has been read of the other protocol with the answer's head."""
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        return bytes(source.fp.peek())
    except (BlockingIOError, ssl.SSLWantReadError):
        return b""
    finally:
        sock.settimeout(timeout)
