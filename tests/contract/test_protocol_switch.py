"""Connections that a toy plugin in pure Python has taken over, driven over raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import select
import socket
import ssl
import struct
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import RouteSpec, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.condition import eventually
from support.http2 import Http2, tls_to
from support.toys import app_with, kind, raw, switched
from support.wire import Wire

MEGABYTE = 1 << 20


class Toy:
    """Echoes, and notes what is called, on which thread, and whether two calls ever overlapped."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.received = bytearray()
        self.overlapped = False
        self.lost = threading.Event()
        self.reason: BaseException | None = None
        self._busy = threading.Lock()
        self._news = threading.Condition()

    def note(self, call: str) -> None:
        # One call after the other is the server's promise, so the lock is free; each may be on any thread.
        self.overlapped |= not self._busy.acquire(blocking=False)
        with self._news:
            self.calls.append(call)
            self.threads.add(threading.get_ident())
            self._news.notify_all()
        self._busy.release()

    def wait_for(self, call: str, timeout: float = 15.0) -> None:
        with self._news:
            assert self._news.wait_for(lambda: call in self.calls, timeout), f"no {call} among {self.calls}"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.note("data")
        self.transport.write(data)

    def eof_received(self) -> bool | None:
        self.note("eof")
        return None

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.reason = exc
        self.note("lost")
        self.lost.set()

    def check_ended(self) -> None:
        """To be called once the server has ended, so that nothing more can come."""
        assert self.calls.count("made") == 1
        assert self.calls[0] == "made"
        assert self.calls.count("lost") == 1
        assert self.calls[-1] == "lost"
        assert not self.overlapped
        assert len(self.threads) == 1


def app_switching(
    protocol: Any,
    *middleware: SlimeMiddleware,
    asked: Callable[[SlimeRequest], bool] = lambda req: True,
    blocking: bool | None = None,
    **hooks: Any,
) -> Slime:
    """A plain and an asynchronous route, `/` and `/async`, that switch to `protocol`."""

    def wrap(route: RouteSpec, handler: Any) -> Any:
        def switch(req: SlimeRequest, resp: SlimeResponse) -> Any:
            if not asked(req):
                return resp.plain("no", status=403)
            return resp.switch_protocol(protocol, [("Upgrade", "toy/1"), ("X-Toy", "yes")])

        async def switch_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
            return switch(req, resp)

        return switch_async if route.is_async else switch

    app = app_with(kind("toy", wrap, **hooks))

    @app.route(path="/", toy=True, plugin=middleware, blocking=blocking)
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        pass

    @app.route(path="/async", toy=True, plugin=middleware)
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> None:
        pass

    return app


@pytest.mark.parametrize("target", ["/", "/async"])
def test_bytes_go_both_ways_until_the_client_closes(target: str) -> None:
    toy = Toy()
    with TestClient(app_switching(toy)) as client:
        with switched(client, target) as wire:
            for word in (b"one", b"two", b"\x00\xff" * 100_000):
                wire.send(word)
                assert wire.exactly(len(word)) == word
        assert toy.lost.wait(15)
    toy.check_ended()
    assert toy.received == b"onetwo" + b"\x00\xff" * 100_000
    assert toy.reason is None


def test_bytes_that_come_with_the_head_are_not_lost() -> None:
    toy = Toy()
    with TestClient(app_switching(toy)) as client:
        with raw(client) as wire:
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: toy/1\r\n\r\nearly")
            answer = wire.answer()
            assert (answer.status, answer.header("x-toy")) == (101, "yes")
            assert wire.exactly(5) == b"early"
        assert toy.lost.wait(15)
    toy.check_ended()


def test_a_connection_inside_tls_is_switched_as_well(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    toy = Toy()
    trust = ssl.create_default_context(cafile=str(cert))
    with TestClient(app_switching(toy), https=SlimeTls(cert, key)) as client:
        plain = socket.create_connection(("127.0.0.1", client.port), timeout=15)
        with Wire(trust.wrap_socket(plain, server_hostname="localhost")) as wire:
            wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
            assert wire.answer().status == 101
            wire.send(b"secret" * 10_000)
            assert wire.exactly(60_000) == b"secret" * 10_000
            assert toy.transport.get_extra_info("scheme") == "https"
            toy.transport.close()
            assert wire.is_closed_by_server()
        assert toy.lost.wait(15)
    toy.check_ended()


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("target", ["/", "/async"])
def test_where_nothing_can_be_switched_the_answer_is_426_and_the_protocol_hears_of_its_end(
    target: str, version: str, tmp_path: Path
) -> None:
    toy = Toy()
    with TestClient(app_switching(toy), https=SlimeTls(*self_signed(tmp_path))) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                assert connection.ask("GET", target).status == 426
        else:
            with Wire(tls_to("127.0.0.1", client.port, ["http/1.1"])) as wire:
                wire.request("GET", target)
                answer = wire.answer()
                assert (answer.status, answer.header("upgrade")) == (426, "toy/1")
        assert toy.lost.wait(15)
    assert toy.calls == ["lost"]
    assert isinstance(toy.reason, ConnectionError)


@pytest.mark.parametrize("answered", ["replaced", "failed"])
@pytest.mark.parametrize("target", ["/", "/async"])
def test_a_protocol_in_whose_place_another_answer_is_given_hears_of_its_end(target: str, answered: str) -> None:
    class Late(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            if answered == "failed":
                raise RuntimeError("changed my mind")
            return resp.plain("changed my mind", status=503)

    toy = Toy()
    with TestClient(app_switching(toy, Late())) as client, raw(client) as wire:
        wire.request("GET", target, headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
        assert wire.answer().status == (500 if answered == "failed" else 503)
        assert toy.lost.wait(15)
    assert toy.calls == ["lost"]
    assert isinstance(toy.reason, ConnectionError)


def test_a_protocol_whose_client_leaves_before_the_101_hears_of_its_end() -> None:
    toy, asked, go_on = Toy(), threading.Event(), threading.Event()

    class Slow(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            asked.set()
            assert go_on.wait(15)

    with TestClient(app_switching(toy, Slow(), blocking=True)) as client:
        with raw(client) as wire:
            wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
            assert asked.wait(15)
            end_by_client_reset(toy, wire.socket)
        go_on.set()
        assert toy.lost.wait(15)
    # Whether the server has seen it leave before it switched is up to the system.
    assert toy.calls in (["lost"], ["made", "lost"])


@pytest.mark.parametrize("end", ["client", "server"])
def test_a_protocol_that_keeps_its_transport_is_freed_with_its_connection(end: str) -> None:
    class Fresh(Toy):
        pass

    refs: list[weakref.ref[Fresh]] = []
    lost: list[threading.Event] = []

    def wrap(route: RouteSpec, handler: Any) -> Any:
        def switch(req: SlimeRequest, resp: SlimeResponse) -> Any:
            protocol = Fresh()
            refs.append(weakref.ref(protocol))
            lost.append(protocol.lost)
            return resp.switch_protocol(protocol, [("Upgrade", "toy/1")])

        return switch

    app = app_with(kind("toy", wrap))
    app.route(path="/", toy=True)(lambda req, resp: None)
    with TestClient(app, shutdown_grace=0.1) as client, contextlib.ExitStack() as stack:
        for _ in range(20):
            wire = stack.enter_context(switched(client))
            wire.send(b"x")
            assert wire.exactly(1) == b"x"
        if end == "client":
            stack.close()
            assert all(event.wait(15) for event in lost)
            eventually(lambda: gc.collect() is not None and not any(ref() for ref in refs), what="all are freed")
    eventually(lambda: gc.collect() is not None and not any(ref() for ref in refs), what="all are freed")


def test_a_client_that_takes_nothing_is_cut_though_it_goes_on_sending() -> None:
    toy = Toy()
    with TestClient(app_switching(toy), send_timeout=0.5) as client, switched(client) as wire:
        toy.wait_for("made")
        toy.transport.write(b"x" * 32 * MEGABYTE)
        start = time.monotonic()
        while not toy.lost.is_set():
            wire.send_until_refused(b"y")
            assert time.monotonic() - start < 15
            toy.lost.wait(0.05)
    toy.check_ended()
    assert isinstance(toy.reason, TimeoutError)


def test_the_plugin_can_refuse() -> None:
    toy = Toy()
    with TestClient(app_switching(toy, asked=lambda req: "pass" in req.query)) as client, raw(client) as wire:
        wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
        assert wire.answer().status == 403
        # It is an HTTP connection still.
        wire.request("GET", "/?pass=1", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
        assert wire.answer().status == 101


def test_middleware_can_refuse() -> None:
    class Guard(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            return resp.plain("who are you?", status=401)

    toy = Toy()
    with TestClient(app_switching(toy, Guard())) as client, raw(client) as wire:
        wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
        assert wire.answer().status == 401
    assert toy.calls == []


def test_middleware_sees_the_status_of_a_switch() -> None:
    class Statuses(SlimeMiddleware):
        def __init__(self) -> None:
            self.seen: list[int] = []

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            self.seen.append(resp.status)

    toy, statuses = Toy(), Statuses()
    with TestClient(app_switching(toy, statuses)) as client, switched(client):
        assert statuses.seen == [101]
    assert toy.lost.wait(15)


def test_middleware_can_add_headers_to_the_101() -> None:
    class Stamp(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-Before", "yes")

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-After", "yes")

    with TestClient(app_switching(Toy(), Stamp())) as client, raw(client) as wire:
        wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
        answer = wire.answer()
        assert (answer.status, answer.header("x-before"), answer.header("x-after")) == (101, "yes", "yes")


# The end.


def end_by_client_eof(toy: Toy, sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def end_by_client_reset(toy: Toy, sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def end_by_close(toy: Toy, sock: socket.socket) -> None:
    assert not toy.transport.is_closing()
    toy.transport.write(b"last words")
    toy.transport.close()
    assert toy.transport.is_closing()
    toy.transport.write(b"too late")
    toy.transport.close()
    assert receive_all(sock) == b"last words"


def end_by_abort(toy: Toy, sock: socket.socket) -> None:
    toy.transport.abort()
    toy.transport.abort()
    assert toy.transport.is_closing()


def receive_all(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


@pytest.mark.parametrize("end", [end_by_client_eof, end_by_client_reset, end_by_close, end_by_abort])
def test_connection_lost_is_called_once_and_last_however_it_ends(end: Any, unraisable: list[str]) -> None:
    toy = Toy()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        toy.wait_for("made")
        end(toy, wire.socket)
        assert toy.lost.wait(15)
        # Whatever is asked of a transport afterwards does nothing.
        toy.transport.write(b"x")
        toy.transport.close()
        toy.transport.abort()
        toy.transport.resume_reading()
    toy.check_ended()
    assert unraisable == []
    if end is end_by_client_reset:
        assert isinstance(toy.reason, ConnectionResetError)
    else:
        assert toy.reason is None
    assert ("eof" in toy.calls) is (end is end_by_client_eof)


def test_a_true_value_from_eof_received_keeps_the_connection_open_for_writing() -> None:
    class Patient(Toy):
        def eof_received(self) -> bool:
            self.note("eof")
            return True

    toy = Patient()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        wire.send(b"question")
        wire.socket.shutdown(socket.SHUT_WR)
        toy.wait_for("eof")
        assert not toy.lost.is_set()
        toy.transport.write(b" answer")
        toy.transport.close()
        assert wire._take(len(wire._buffer)) + receive_all(wire.socket) == b"question answer"
        assert toy.lost.wait(15)
    toy.check_ended()


@pytest.mark.parametrize("method", ["connection_made", "data_received", "eof_received", "pause_writing"])
def test_a_protocol_that_raises_loses_its_connection_and_nothing_else(method: str, unraisable: list[str]) -> None:
    def fail(self: Toy, *arguments: Any) -> None:
        if method == "connection_made":
            self.note("made")
        raise RuntimeError("secret")

    toy = type("Broken", (Toy,), {method: fail})()
    with TestClient(app_switching(toy)) as client:
        with switched(client) as wire:
            if method == "pause_writing":
                toy.wait_for("made")
                toy.transport.write(b"x" * MEGABYTE)
            elif method != "connection_made":
                wire.send(b"x")
                wire.socket.shutdown(socket.SHUT_WR)
            assert toy.lost.wait(15)
            with contextlib.suppress(ConnectionResetError):
                assert b"secret" not in receive_all(wire.socket)
        assert client.get("/nowhere").status_code == 404
    toy.check_ended()
    assert unraisable == ["RuntimeError: secret"]


def test_connection_lost_that_raises_is_reported(unraisable: list[str]) -> None:
    class Broken(Toy):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            raise RuntimeError("secret")

    toy = Broken()
    with TestClient(app_switching(toy)) as client:
        with switched(client):
            pass
        eventually(lambda: unraisable, what="the exception is reported")
    toy.check_ended()
    assert unraisable == ["RuntimeError: secret"]


# Flow.


def test_writing_is_paused_and_resumed_as_the_client_reads() -> None:
    toy = Toy()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        toy.wait_for("made")
        total = 0
        while "pause" not in toy.calls:
            toy.transport.write(b"x" * MEGABYTE)
            total += MEGABYTE
            assert total < 256 * MEGABYTE
        # More than any socket takes: it stays in the buffer until the client reads.
        for _ in range(32):
            toy.transport.write(b"x" * MEGABYTE)
            total += MEGABYTE
        assert toy.transport.get_write_buffer_size() > 0
        read = 0
        while read < total:
            read += len(wire.socket.recv(MEGABYTE))
        toy.wait_for("resume")
        eventually(lambda: toy.transport.get_write_buffer_size() == 0)
        wire.send(b"still there?")
        assert wire.exactly(12) == b"still there?"
    toy.check_ended()
    flow = [call for call in toy.calls if call in ("pause", "resume")]
    assert flow == ["pause", "resume"] * (len(flow) // 2)


def test_the_marks_of_the_write_buffer_can_be_set() -> None:
    toy = Toy()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        toy.wait_for("made")
        with pytest.raises(ValueError, match=r"low \(2\) must not be above high \(1\)"):
            toy.transport.set_write_buffer_limits(high=1, low=2)
        toy.transport.set_write_buffer_limits(high=512 * MEGABYTE)
        toy.transport.write(b"x" * (8 * MEGABYTE))
        read = 0
        while read < 8 * MEGABYTE:
            read += len(wire.socket.recv(MEGABYTE))
        assert "pause" not in toy.calls
        toy.transport.set_write_buffer_limits(high=0)
        toy.transport.write(b"y")
        toy.wait_for("pause")
        assert wire.exactly(1) == b"y"
        toy.wait_for("resume")


def test_a_protocol_that_pauses_reading_holds_its_client_back() -> None:
    class Reluctant(Toy):
        def connection_made(self, transport: Any) -> None:
            transport.pause_reading()
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            self.received += data

    toy = Reluctant()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        toy.wait_for("made")
        sent = 0
        wire.socket.setblocking(False)
        while select.select([], [wire.socket], [], 0.5)[1]:
            sent += wire.socket.send(b"x" * 65536)
            assert sent < 64 * MEGABYTE
        # What was being read when reading was paused may have come.
        assert len(toy.received) <= 65536
        wire.socket.settimeout(15)
        toy.transport.resume_reading()
        eventually(lambda: len(toy.received) == sent, what="everything has arrived")


def test_a_protocol_that_is_slow_holds_its_client_back() -> None:
    go_on = threading.Event()

    class Slow(Toy):
        def data_received(self, data: bytes) -> None:
            assert go_on.wait(15)
            self.received += data

    toy = Slow()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        sent = 0
        wire.socket.setblocking(False)
        while select.select([], [wire.socket], [], 0.5)[1]:
            sent += wire.socket.send(b"x" * 65536)
            assert sent < 64 * MEGABYTE
        go_on.set()
        eventually(lambda: len(toy.received) == sent, what="everything has arrived")


def test_any_thread_may_write() -> None:
    toy = Toy()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        toy.wait_for("made")

        def write(letter: bytes) -> None:
            for _ in range(100):
                toy.transport.write(letter * 1000)

        threads = [threading.Thread(target=write, args=(bytes([letter]),)) for letter in b"abcd"]
        for thread in threads:
            thread.start()
        data = wire.exactly(4 * 100 * 1000)
        for thread in threads:
            thread.join()
    # What one call writes stays together.
    pieces = {data[start : start + 1000] for start in range(0, len(data), 1000)}
    assert pieces == {letter * 1000 for letter in (b"a", b"b", b"c", b"d")}
    toy.check_ended()


# What a transport gives.


def test_work_can_leave_the_loop_and_come_back() -> None:
    threads: dict[str, int] = {}
    done = threading.Event()

    class Worker(Toy):
        def data_received(self, data: bytes) -> None:
            threads["loop"] = threading.get_ident()
            assert self.transport.call_in_pool(self.work, data)

        def work(self, data: bytes) -> None:
            threads["pool"] = threading.get_ident()
            self.transport.call_soon(self.back, data.upper())

        def back(self, data: bytes) -> None:
            threads["back"] = threading.get_ident()
            self.transport.write(data)
            done.set()

    with TestClient(app_switching(Worker())) as client, switched(client) as wire:
        wire.send(b"loud")
        assert wire.exactly(4) == b"LOUD"
        assert done.wait(15)
    assert threads["back"] == threads["loop"] != threads["pool"]


@pytest.mark.parametrize("blocking", [True, False, None])
def test_plain_calls_run_where_plain_handlers_do(blocking: bool | None) -> None:
    """On the loop's thread once they have shown to be fast, or where the route says so; there, too, they may wait."""
    calls: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
    go_on = threading.Event()

    class Caller(Toy):
        def data_received(self, data: bytes) -> None:
            assert self.transport.call_plain(self.plain, data)

        def plain(self, data: bytes) -> None:
            calls.put((threading.get_ident(), is_on_a_loop()))
            if data == b"wait":
                assert go_on.wait(15)
            self.transport.write(data)

    def is_on_a_loop() -> bool:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    toy = Caller()
    app = app_switching(toy, blocking=blocking)
    with TestClient(app, workers=1) as client, switched(client) as wire:
        threads = []
        for _ in range(500):
            wire.send(b"fast")
            assert wire.exactly(4) == b"fast"
            thread, on_a_loop = calls.get(timeout=15)
            threads.append(thread)
            assert not on_a_loop
        loop_thread: queue.SimpleQueue[int] = queue.SimpleQueue()
        toy.transport.call_soon(lambda: loop_thread.put(threading.get_ident()))
        worker = loop_thread.get(timeout=15)
        assert (threads[0] == worker) == (blocking is False)
        assert (threads[-1] == worker) == (blocking is not True)
        wire.send(b"wait")
        calls.get(timeout=15)
        # The call waits for something that only the loop can do.
        toy.transport.call_soon(go_on.set)
        assert wire.exactly(4) == b"wait"


def test_what_is_called_back_and_raises_is_reported(unraisable: list[str]) -> None:
    toy = Toy()

    def fail() -> None:
        raise RuntimeError("secret")

    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        toy.wait_for("made")
        toy.transport.call_soon(fail)
        assert toy.transport.call_in_pool(fail)
        eventually(lambda: len(unraisable) == 2)
        wire.send(b"fine")
        assert wire.exactly(4) == b"fine"


def test_a_full_pool_is_said_to_be_full() -> None:
    toy = Toy()
    go_on = threading.Event()
    with TestClient(app_switching(toy), pool_threads=1, worker_queue_size=1) as client, switched(client):
        toy.wait_for("made")
        try:
            outcomes = [toy.transport.call_in_pool(go_on.wait, 15) for _ in range(4)]
        finally:
            go_on.set()
    assert outcomes[0]
    assert not outcomes[-1]


def test_extra_info_tells_who_the_client_is() -> None:
    toy = Toy()
    with TestClient(app_switching(toy)) as client, switched(client) as wire:
        toy.wait_for("made")
        assert toy.transport.get_extra_info("peername") == wire.socket.getsockname()
        assert toy.transport.get_extra_info("scheme") == "http"
        assert toy.transport.get_extra_info("cipher") is None
        assert toy.transport.get_extra_info("cipher", "none") == "none"


# The end of the server.


def test_slime_stopping_can_end_a_switched_connection() -> None:
    toy = Toy()

    def say_goodbye(app: Slime) -> None:
        toy.transport.write(b"goodbye")
        toy.transport.close()

    with TestClient(app_switching(toy, slime_stopping=say_goodbye), shutdown_grace=30) as client:
        wire = switched(client)
        toy.wait_for("made")
        start = time.monotonic()
    assert time.monotonic() - start < 15
    toy.check_ended()
    assert toy.reason is None
    with wire:
        assert receive_all(wire.socket) == b"goodbye"


def test_a_switched_connection_is_cut_when_the_grace_time_is_over() -> None:
    toy = Toy()
    with TestClient(app_switching(toy), shutdown_grace=0.3) as client:
        wire = switched(client)
        toy.wait_for("made")
        start = time.monotonic()
    assert 0.2 < time.monotonic() - start < 15
    toy.check_ended()
    with wire:
        assert receive_all(wire.socket) == b""
