"""Coroutine handlers that await the switch of protocol, and go on with the connection themselves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from slimeweb import ClientDisconnected, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.condition import eventually
from support.http2 import Http2, tls_to
from support.toys import app_with, raw, switched, toy
from support.wire import Wire

HEADERS = [("Upgrade", "toy/1")]
ASK = {"Connection": "Upgrade", "Upgrade": "toy/1"}


class Inbox:
    """Lets a coroutine wait for what arrives; the end of the connection is `None`."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.threads: set[int] = set()
        self.lost: BaseException | str | None = "not yet"

    def connection_made(self, transport: Any) -> None:
        self.threads.add(threading.get_ident())
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.threads.add(threading.get_ident())
        self.arrived.put_nowait(data)

    def eof_received(self) -> bool | None:
        return None

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        self.arrived.put_nowait(None)


Handler = Callable[[SlimeRequest, SlimeResponse], Coroutine[Any, Any, Any]]


def app_of(handler: Handler, *middleware: SlimeMiddleware, **hooks: Any) -> Slime:
    app = app_with(toy("Stopper", **hooks))
    app.route(path="/", plugin=middleware)(handler)
    return app


async def echo(req: SlimeRequest, resp: SlimeResponse) -> None:
    inbox = Inbox()
    transport = await resp.switch_protocol(inbox, HEADERS)
    assert transport is inbox.transport
    while (data := await inbox.arrived.get()) is not None and data != b"end":
        transport.write(data.upper())
    transport.write(b"goodbye")


def receive_all(sock: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


@pytest.mark.parametrize("workers", [1, 2])
def test_a_handler_loops_over_what_arrives_and_its_return_closes_the_connection(workers: int) -> None:
    with TestClient(app_of(echo), workers=workers) as client:
        wires = [switched(client) for _ in range(4)]
        for number, wire in enumerate(wires):
            wire.send(b"word %d" % number)
        for number, wire in enumerate(wires):
            assert wire.exactly(6) == b"WORD %d" % number
            wire.send(b"end")
            # Everything is written before the connection is closed.
            assert wire.exactly(7) == b"goodbye"
            assert wire.is_closed_by_server()
            wire.socket.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_protocol_is_called_on_the_loop_of_the_handler(workers: int) -> None:
    threads: queue.SimpleQueue[tuple[int, set[int]]] = queue.SimpleQueue()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        inbox = Inbox()
        await resp.switch_protocol(inbox, HEADERS)
        await inbox.arrived.get()
        threads.put((threading.get_ident(), inbox.threads))

    with TestClient(app_of(handler), workers=workers) as client:
        for _ in range(4):
            with switched(client) as wire:
                wire.send(b"x")
                thread, others = threads.get(timeout=15)
                assert others == {thread}


def test_what_was_sent_with_the_head_is_not_lost() -> None:
    with TestClient(app_of(echo)) as client, raw(client) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: toy/1\r\n\r\nearly")
        assert wire.answer().status == 101
        assert wire.exactly(5) == b"EARLY"


def test_the_streams_of_asyncio_work_on_a_switched_connection() -> None:
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: Any = await resp.switch_protocol(protocol, HEADERS)
        writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
        async for line in reader:
            writer.write(line.upper() * 1000)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    with TestClient(app_of(handler)) as client, switched(client) as wire:
        for word in (b"one\n", b"two\n"):
            wire.send(word)
            assert wire.exactly(4000) == word.upper() * 1000
        wire.socket.shutdown(socket.SHUT_WR)
        assert receive_all(wire.socket) == b""


def test_middleware_comes_before_the_101_and_after_the_handler_which_it_cannot_answer_for_any_more() -> None:
    seen: list[Any] = []
    done = threading.Event()

    class Around(SlimeMiddleware):
        async def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            resp.set_header("X-Before", "yes")
            return resp.plain("no", status=403) if "refuse" in req.query else None

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            if resp.status == 101:
                assert resp.started
                for change in (lambda: resp.set_header("X", "y"), lambda: resp.plain("late")):
                    with pytest.raises(RuntimeError, match="the protocol has been switched"):
                        change()
                seen.append("after")
                done.set()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        inbox = Inbox()
        resp.set_header("X-Handler", "yes")
        await resp.switch_protocol(inbox, HEADERS)
        seen.append("handler goes on")
        await inbox.arrived.get()

    with TestClient(app_of(handler, Around())) as client:
        with raw(client) as wire:
            wire.request("GET", "/?refuse=1", headers=ASK)
            assert wire.answer().status == 403
        with raw(client) as wire:
            wire.request("GET", "/", headers=ASK)
            answer = wire.answer()
            assert (answer.status, answer.header("x-before"), answer.header("x-handler")) == (101, "yes", "yes")
            eventually(lambda: seen == ["handler goes on"])
            wire.send(b"x")
            assert done.wait(15)
            assert wire.is_closed_by_server()
    assert seen == ["handler goes on", "after"]


def test_a_handler_that_raises_ends_the_connection_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        inbox = Inbox()
        transport = await resp.switch_protocol(inbox, HEADERS)
        await inbox.arrived.get()
        transport.write(b"goodbye")
        raise RuntimeError("secret")

    with TestClient(app_of(handler)) as client:
        with switched(client) as wire:
            wire.send(b"x")
            assert receive_all(wire.socket) == b"goodbye"
        eventually(lambda: any("after the response had started" in record.message for record in caplog.records))
        assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize("reset", [True, False])
def test_a_client_that_leaves_is_heard_of_and_the_handler_goes_on_to_its_end(
    reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        inbox = Inbox()
        transport = await resp.switch_protocol(inbox, HEADERS)
        assert await inbox.arrived.get() == b"x"
        assert await inbox.arrived.get() is None
        # It can still await: nothing is cancelled.
        await asyncio.sleep(0)
        assert transport.is_closing()
        transport.write(b"too late")
        ends.put(inbox.lost)

    with TestClient(app_of(handler)) as client:
        with switched(client) as wire:
            wire.send(b"x")
            if reset:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        lost = ends.get(timeout=15)
    assert lost is None or (reset and isinstance(lost, ConnectionError))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_client_that_has_left_before_the_101_is_a_client_disconnected() -> None:
    asked, go_on = threading.Event(), threading.Event()
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        asked.set()
        await asyncio.to_thread(go_on.wait, 15)
        inbox = Inbox()
        try:
            await resp.switch_protocol(inbox, HEADERS)
            # The system may have taken the 101 all the same.
            await inbox.arrived.get()
            raise ClientDisconnected
        except ClientDisconnected:
            ends.put(inbox.lost)
            raise

    with TestClient(app_of(handler)) as client:
        with raw(client) as wire:
            wire.request("GET", "/", headers=ASK)
            assert asked.wait(15)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Its connection is gone once another has been served on the same worker.
        assert client.get("/nowhere").status_code == 404
        go_on.set()
        assert isinstance(ends.get(timeout=15), ConnectionError | None)


def test_a_protocol_that_raises_in_connection_made_ends_the_switch(unraisable: list[str]) -> None:
    failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    class Broken(Inbox):
        def connection_made(self, transport: Any) -> None:
            raise RuntimeError("secret")

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        inbox = Broken()
        try:
            await resp.switch_protocol(inbox, HEADERS)
        except RuntimeError as error:
            await inbox.arrived.get()
            failures.put(error)

    with TestClient(app_of(handler)) as client, switched(client) as wire:
        assert receive_all(wire.socket) == b""
        assert str(failures.get(timeout=15)) == "secret"
    assert unraisable == []


def test_a_handler_that_gives_up_waiting_ends_the_connection() -> None:
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        task = asyncio.ensure_future(resp.switch_protocol(Inbox(), HEADERS))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with TestClient(app_of(handler)) as client, raw(client) as wire:
        wire.request("GET", "/", headers=ASK)
        assert wire.answer().status == 101
        assert wire.is_closed_by_server()


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_what_cannot_switch_is_refused_at_the_call(version: str, tmp_path: Path) -> None:
    with TestClient(app_of(echo), https=SlimeTls(*self_signed(tmp_path))) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                assert connection.ask("GET", "/").status == 426
        else:
            assert client.get("/", headers={"Upgrade": "toy/1"}).status_code == 426


def test_it_can_be_awaited_once_in_a_coroutine_handler_and_while_it_is_the_answer() -> None:
    failures: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        switch = resp.switch_protocol(Inbox(), HEADERS)
        if "instead" in req.query:
            resp.plain("instead")
        else:
            await switch
        try:
            await switch
        except RuntimeError as error:
            failures.put(str(error))

    app = app_of(handler)

    @app.route(path="/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        switch = resp.switch_protocol(Inbox(), HEADERS)
        try:
            switch.__await__()
        except RuntimeError as error:
            failures.put(str(error))
        return switch

    with TestClient(app) as client:
        with raw(client) as wire:
            wire.request("GET", "/?instead=1", headers=ASK)
            assert wire.answer().text == "instead"
            assert "answered otherwise" in failures.get(timeout=15)
        with switched(client):
            assert "answered otherwise" in failures.get(timeout=15)
        with switched(client, "/plain"):
            assert "only a coroutine handler" in failures.get(timeout=15)


def test_slime_stopping_ends_the_loop_of_a_handler() -> None:
    inboxes: list[Inbox] = []
    connected, ended = threading.Event(), threading.Event()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        inbox = Inbox()
        inboxes.append(inbox)
        await resp.switch_protocol(inbox, HEADERS)
        connected.set()
        assert await inbox.arrived.get() is None
        ended.set()

    def say_goodbye(app: Slime) -> None:
        for inbox in inboxes:
            inbox.transport.write(b"goodbye")
            inbox.transport.close()

    with TestClient(app_of(handler, slime_stopping=say_goodbye), shutdown_grace=30) as client:
        wire = switched(client)
        assert connected.wait(15)
        start = time.monotonic()
    assert time.monotonic() - start < 15
    assert ended.is_set()
    with wire:
        assert receive_all(wire.socket) == b"goodbye"


def test_a_handler_that_does_not_end_is_cancelled_when_the_grace_time_is_over() -> None:
    ends: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    connected = threading.Event()

    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        await resp.switch_protocol(Inbox(), HEADERS)
        connected.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ends.put(error)
            raise

    with TestClient(app_of(handler), shutdown_grace=0.3) as client:
        wire = switched(client)
        assert connected.wait(15)
    assert isinstance(ends.get(timeout=15), asyncio.CancelledError)
    with wire:
        assert receive_all(wire.socket) == b""


def test_the_access_log_has_the_bytes_that_were_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "slimeweb.access")
    with TestClient(app_of(echo), access_log=True) as client, switched(client) as wire:
        wire.send(b"x" * 100)
        assert wire.exactly(100) == b"X" * 100
        wire.send(b"end")
        assert wire.exactly(7) == b"goodbye"
        assert wire.is_closed_by_server()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "slimeweb.access"]
    assert " 101 107B " in line, line


def test_a_switch_inside_tls_can_be_awaited(tmp_path: Path) -> None:
    server = TestClient(app_of(echo), https=SlimeTls(*self_signed(tmp_path)))
    with server as client, Wire(tls_to("127.0.0.1", client.port, ["http/1.1"])) as wire:
        wire.request("GET", "/", headers=ASK)
        assert wire.answer().status == 101
        wire.send(b"secret")
        assert wire.exactly(6) == b"SECRET"
