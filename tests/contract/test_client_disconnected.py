"""Coroutine handlers that wait for their client to leave."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.http2 import Http2
from support.toys import raw, switched
from support.wire import Wire

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Seen:
    """What a handler says of its client."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()

    def say(self, what: str) -> None:
        self._said.put(what)

    def next(self) -> str:
        return self._said.get(timeout=15)


def app_waiting(seen: Seen) -> Slime:
    app = Slime(__file__)

    @app.route(path="/quiet")
    async def quiet(req: SlimeRequest, resp: SlimeResponse) -> Any:
        left = asyncio.ensure_future(resp.client_disconnected())
        seen.begun.set()
        await left
        seen.say("left")
        return resp.plain("too late")

    async def stream(resp: SlimeResponse, *, first: bool) -> None:
        left = asyncio.ensure_future(resp.client_disconnected()) if first else None
        writer = resp.writer(cancel=False)
        writer.start()
        writer.try_write(b"piece")
        await (left or resp.client_disconnected())
        assert writer.is_closed
        seen.say("left")

    @app.route(path="/stream/asked-before")
    async def asked_before(req: SlimeRequest, resp: SlimeResponse) -> None:
        await stream(resp, first=True)

    @app.route(path="/stream/asked-later")
    async def asked_later(req: SlimeRequest, resp: SlimeResponse) -> None:
        await stream(resp, first=False)

    return app


@contextlib.contextmanager
def leaving(version: str, how: str, client: TestClient, target: str) -> Iterator[Wire | Http2]:
    """A client that has asked, and leaves at the end."""
    if version == "2":
        with Http2.tls("127.0.0.1", client.port) as connection:
            stream = connection.begin("GET", target)
            yield connection
            if how == "reset":
                connection.h2.reset_stream(stream, 8)
                connection.flush()
    else:
        with raw(client) as wire:
            wire.send(GET % target.encode())
            yield wire
            if how == "reset":
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif how == "eof":
                wire.socket.shutdown(socket.SHUT_WR)


def server(version: str, app: Slime, tmp_path: Path) -> TestClient:
    return TestClient(app, workers=2, https=SlimeTls(*self_signed(tmp_path)) if version == "2" else None)


LEAVING = [("1.1", "reset"), ("1.1", "close"), ("1.1", "eof"), ("2", "reset"), ("2", "close")]


@pytest.mark.parametrize(("version", "how"), LEAVING)
def test_a_client_that_leaves_before_its_answer_is_heard_of(version: str, how: str, tmp_path: Path) -> None:
    seen = Seen()
    with server(version, app_waiting(seen), tmp_path) as client:
        with leaving(version, how, client, "/quiet"):
            assert seen.begun.wait(15)
        assert seen.next() == "left"


def test_a_client_that_has_ended_its_side_gets_its_answer_all_the_same() -> None:
    seen = Seen()
    with TestClient(app_waiting(seen)) as client, raw(client) as wire:
        wire.send(GET % b"/quiet")
        assert seen.begun.wait(15)
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer().text == "too late"


@pytest.mark.parametrize(("version", "how"), LEAVING)
@pytest.mark.parametrize("asked", ["asked-before", "asked-later"])
def test_a_client_that_leaves_a_stream_is_heard_of(version: str, how: str, asked: str, tmp_path: Path) -> None:
    seen = Seen()
    with server(version, app_waiting(seen), tmp_path) as client:
        with leaving(version, how, client, f"/stream/{asked}") as connection:
            if isinstance(connection, Wire):
                connection._until(b"piece")
            else:
                assert connection.head(1) == 200
        assert seen.next() == "left"


@pytest.mark.parametrize("asked", ["before", "after"])
def test_a_client_that_leaves_a_switched_connection_is_heard_of(asked: str) -> None:
    seen = Seen()
    app = Slime(__file__)

    @app.route(path="/")
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        left = asyncio.ensure_future(resp.client_disconnected()) if asked == "before" else None
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
        transport = await resp.switch_protocol(protocol, [("Upgrade", "toy/1")])
        seen.begun.set()
        await (left or resp.client_disconnected())
        assert transport.is_closing()
        transport.abort()
        seen.say("left")

    with TestClient(app) as client:
        with switched(client) as wire:
            assert seen.begun.wait(15)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert seen.next() == "left"


@pytest.mark.parametrize("answer", ["whole", "stream"])
def test_the_waiting_ends_with_the_answer_and_the_connection_goes_on(answer: str) -> None:
    seen = Seen()
    app = Slime(__file__)
    tasks: set[asyncio.Task[None]] = set()

    @app.route(path="/")
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        async def wait() -> None:
            await resp.client_disconnected()
            seen.say("over")

        tasks.add(asyncio.ensure_future(wait()))
        cancelled = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        cancelled.cancel()
        if answer == "whole":
            return resp.plain("answer")
        writer = resp.writer()
        writer.start()
        writer.try_write(b"answer")
        return None

    with TestClient(app) as client, raw(client) as wire:
        for _ in range(20):
            wire.send(GET % b"/")
            assert wire.answer().text == "answer"
            assert seen.next() == "over"


def test_only_a_coroutine_handler_can_wait() -> None:
    app = Slime(__file__)

    @app.route(path="/")
    def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        with pytest.raises(RuntimeError, match="only a coroutine handler"):
            resp.client_disconnected()
        return "refused"

    with TestClient(app) as client:
        assert client.get("/").text == "refused"


# A body, piece by piece, whose client leaves.


def app_reading(seen: Seen) -> Slime:
    app = Slime(__file__)

    @app.route(path="/plain", method="POST", stream_body=True)
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        pieces = iter(req.chunks())
        try:
            while True:
                seen.say(next(pieces).decode())
        except Exception as error:
            seen.say(" ".join(sorted(kind.__name__ for kind in type(error).__mro__[:3])))
            raise

    @app.route(path="/async", method="POST", stream_body=True)
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> Any:
        pieces: Any = req.chunks()
        try:
            while True:
                seen.say((await anext(pieces)).decode())
        except Exception as error:
            seen.say(" ".join(sorted(kind.__name__ for kind in type(error).__mro__[:3])))
            raise

    return app


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_a_body_whose_client_leaves_is_incomplete_and_no_error_of_the_application(
    path: str, version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    with server(version, app_reading(seen), tmp_path) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                stream = connection.begin("POST", path, end=False)
                connection.send(stream, b"piece")
                assert seen.next() == "piece"
                connection.h2.reset_stream(stream, 8)
                connection.flush()
                assert seen.next() == "ClientDisconnected HttpError IncompleteBody"
        else:
            with raw(client) as wire:
                wire.send(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npiece" % path.encode())
                assert seen.next() == "piece"
            assert seen.next() == "ClientDisconnected HttpError IncompleteBody"
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b"Content-Length: 5\r\n\r\npiece", "StopIteration"),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n0\r\n\r\n", "StopIteration"),
        (b"Content-Length: 0\r\n\r\n", "StopIteration"),
        (b"\r\n", "StopIteration"),
        (b"Content-Length: 11\r\n\r\npiece", "HttpError: 400"),
        (b"Content-Length: 10\r\n\r\npiece", "HttpError: 408"),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n6\r\npiece!\r\n0\r\n\r\n", "HttpError: 400"),
    ],
    ids=["length", "chunked", "empty", "none", "announced-too-large", "too-slow", "too-large"],
)
@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_the_limits_of_a_body_hold_while_it_is_read(path: str, body: bytes, end: str) -> None:
    app = Slime(__file__)

    def ended(error: BaseException) -> str:
        name = type(error).__name__.replace("StopAsyncIteration", "StopIteration")
        return f"{name}: {error.status}" if hasattr(error, "status") else name

    @app.route(path="/plain", method="POST", stream_body=True, body_size=10)
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        pieces = iter(req.chunks())
        try:
            while True:
                next(pieces)
        except Exception as error:
            return ended(error)

    @app.route(path="/async", method="POST", stream_body=True, body_size=10)
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> Any:
        pieces: Any = req.chunks()
        try:
            while True:
                await anext(pieces)
        except Exception as error:
            return ended(error)

    with TestClient(app, body_timeout=0.3) as client, raw(client) as wire:
        wire.send(b"POST %s HTTP/1.1\r\nHost: a\r\n" % path.encode() + body)
        assert wire.answer().text == end


@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_a_client_is_held_back_while_its_body_is_not_read(path: str) -> None:
    go_on, total = threading.Event(), 64 << 20
    app = Slime(__file__)

    @app.route(path="/plain", method="POST", stream_body=True, body_size=total)
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        pieces = req.chunks()
        first = len(next(iter(pieces)))
        assert go_on.wait(15)
        return str(first + sum(map(len, pieces)))

    @app.route(path="/async", method="POST", stream_body=True, body_size=total)
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> Any:
        pieces: Any = req.chunks()
        first = len(await anext(pieces))
        assert await asyncio.to_thread(go_on.wait, 15)
        return str(first + sum([len(piece) async for piece in pieces]))

    with TestClient(app, body_rate=0) as client, raw(client) as wire:
        wire.send(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path.encode(), total))
        sent = sent_until_stalled(wire.socket, total)
        assert sent < total / 2
        go_on.set()
        wire.socket.settimeout(15)
        wire.send(bytes(total - sent))
        assert wire.answer().text == str(total)


def sent_until_stalled(sock: socket.socket, total: int, piece: Callable[[int], bytes] = bytes) -> int:
    """How much the server takes before it takes no more for a while."""
    sent = 0
    sock.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while sent < total:
            sent += sock.send(piece(min(65536, total - sent)))
    return sent
