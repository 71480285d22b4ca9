"""`slime_response_sent`: what plugins are told of an answer at its end."""

from __future__ import annotations

import asyncio
import logging
import queue
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from slimeweb.tls import SlimeTls
from support.certificate import self_signed
from support.condition import eventually
from support.http2 import Http2, Reset, tls_to
from support.toys import app_with, raw, switched, toy
from support.versions import VERSIONS, served
from support.wire import Wire

version = pytest.mark.parametrize("version", VERSIONS)
prefix = pytest.mark.parametrize("prefix", ["", "/async"])


class End(NamedTuple):
    route: str | None
    method: str
    path: str
    status: int
    sent: int
    seconds: float
    error: str | None
    client: str
    request_id: str

    @property
    def said(self) -> tuple[str | None, str, str, int, int, str | None]:
        return self.route, self.method, self.path, self.status, self.sent, self.error


class Ends(queue.Queue[End]):
    """What a plugin is told, in order."""

    def plugin(self, name: str = "Metrics") -> object:
        def told(
            app: Slime,
            route: str | None,
            method: str,
            path: str,
            status: int,
            sent: int,
            seconds: float,
            error: str | None,
            client: str,
            request_id: str,
        ) -> None:
            assert isinstance(app, Slime)
            self.put(End(route, method, path, status, sent, seconds, error, client, request_id))

        return toy(name, slime_response_sent=told)

    def next(self) -> End:
        return self.get(timeout=10)


def declare(app: Slime, path: str, function: Callable[[SlimeRequest, SlimeResponse], Any], **options: Any) -> None:
    """The same handler twice: plain, and below `/async` as a coroutine function."""

    async def coro(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return function(req, resp)

    app.route(path, **options)(function)
    app.route(f"/async{path}", **options)(coro)


def stream(resp: SlimeResponse, *pieces: bytes) -> Any:
    writer = resp.writer()
    writer.start()
    for piece in pieces:
        assert writer.try_write(piece)
    return writer


class Protocol:
    """Says nothing; `data_received` fails where it is told to."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"welcome")

    def data_received(self, data: bytes) -> None:
        raise RuntimeError(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None: ...


def application(ends: Ends, *plugins: object) -> Slime:
    app = app_with(ends.plugin(), *plugins)

    def cut(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream(resp, b"one")
        raise RuntimeError("cut")

    declare(app, "/whole/{id}", lambda req, resp: resp.plain("hello", status=201))
    declare(app, "/stream", lambda req, resp: stream(resp, b"one", b"two").close())
    declare(app, "/cut", cut)
    declare(app, "/small", lambda req, resp: "taken", method="POST", body_size=3)
    declare(app, "/switch", lambda req, resp: resp.switch_protocol(Protocol(), [("Upgrade", "toy/1")]))
    declare(app, "/large", lambda req, resp: bytes(30_000_000))

    @app.route("/endless")
    def endless(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = stream(resp, b"one")
        while True:
            writer.write(b"x" * 1000)

    @app.route("/async/endless")
    async def endless_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream(resp, b"one")
        await asyncio.sleep(60)

    return app


@version
@prefix
@pytest.mark.parametrize(
    ("method", "path", "route", "status", "error"),
    [
        ("GET", "/whole/7?a=b", "/whole/{id}", 201, None),
        ("HEAD", "/whole/7", "/whole/{id}", 201, None),
        ("OPTIONS", "/whole/7", "/whole/{id}", 204, None),
        ("GET", "/stream", "/stream", 200, None),
        ("HEAD", "/stream", "/stream", 200, None),
        ("GET", "/cut", "/cut", 200, "aborted"),
        ("GET", "/nowhere", None, 404, None),
        ("DELETE", "/stream", None, 405, None),
        ("GET", "/switch", "/switch", 426, None),
        ("POST", "/small", "/small", 400, None),
    ],
)
def test_slime_response_sent_tells_of_each_answer_at_its_end(
    version: str, prefix: str, method: str, path: str, route: str | None, status: int, error: str | None, tmp_path: Path
) -> None:
    ends = Ends()
    target = prefix + path
    with TestClient(application(ends), https=SlimeTls(*self_signed(tmp_path))) as client:
        size = 3
        body = b"1234" if method == "POST" else b""
        try:
            if version == "2":
                with Http2.tls("127.0.0.1", client.port) as connection:
                    size = len(connection.ask(method, target, body=body).body)
            else:
                with Wire(tls_to("127.0.0.1", client.port, ["http/1.1"])) as wire:
                    wire.request(method, target, headers={"Content-Length": str(len(body))} if body else None)
                    wire.send(body)
                    size = len(wire.answer(to=method).body)
        except (EOFError, ConnectionResetError, Reset):
            assert error == "aborted"
        end = ends.next()
    pattern = None if route is None else prefix + route
    assert end.said == (pattern, method, target.partition("?")[0], status, size, error)
    assert end.client == "127.0.0.1"
    assert 0 < end.seconds < 10
    assert ends.empty()


@version
def test_static_files_are_told_of(version: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "page.txt").write_bytes(b"x" * 100_000)
    ends = Ends()
    app = app_with(ends.plugin())
    app.static_route("/static", tmp_path / "files")
    with served(app, version, tmp_path) as ask:
        assert len(ask("GET", "/static/page.txt").body) == 100_000
        assert ends.next().said == (None, "GET", "/static/page.txt", 200, 100_000, None)
        ask("GET", "/static/page.txt", headers={"Range": "bytes=0-9"})
        assert ends.next().said == (None, "GET", "/static/page.txt", 206, 10, None)
        ask("HEAD", "/static/page.txt")
        assert ends.next().said == (None, "HEAD", "/static/page.txt", 200, 0, None)


@version
@prefix
@pytest.mark.parametrize("path", ["/endless", "/large"])
def test_a_client_that_leaves_is_told(version: str, prefix: str, path: str, tmp_path: Path) -> None:
    ends = Ends()
    with TestClient(application(ends), https=SlimeTls(*self_signed(tmp_path))) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port, reads=False) as connection:
                connection.head(connection.begin("GET", prefix + path))
        else:
            with Wire(tls_to("127.0.0.1", client.port, ["http/1.1"])) as wire:
                wire.request("GET", prefix + path)
                assert wire.socket.recv(1)
        end = ends.next()
    assert end[:4] == (prefix + path, "GET", prefix + path, 200)
    assert end.error == "client left"
    assert end.sent < 30_000_000


@version
@prefix
def test_a_client_that_leaves_before_there_is_a_status_is_told_as_499(
    version: str, prefix: str, tmp_path: Path
) -> None:
    ends = Ends()
    app = app_with(ends.plugin())
    asked, go_on = threading.Event(), threading.Event()

    @app.route("/", blocking=True)
    def wait(req: SlimeRequest, resp: SlimeResponse) -> str:
        asked.set()
        assert go_on.wait(10)
        return "late"

    @app.route("/async/")
    async def wait_async(req: SlimeRequest, resp: SlimeResponse) -> str:
        asked.set()
        assert await asyncio.to_thread(go_on.wait, 10)
        return "late"

    with TestClient(app, https=SlimeTls(*self_signed(tmp_path))) as client:
        sock = tls_to("127.0.0.1", client.port, ["h2" if version == "2" else "http/1.1"])
        with Http2(sock) if version == "2" else Wire(sock) as connection:
            if isinstance(connection, Http2):
                connection.begin("GET", f"{prefix}/")
            else:
                connection.request("GET", f"{prefix}/")
            assert asked.wait(10)
        end = ends.next()
        go_on.set()
    assert end.said == (f"{prefix}/", "GET", f"{prefix}/", 499, 0, "client left")


@version
def test_a_client_that_takes_nothing_is_told_as_a_timeout(version: str, tmp_path: Path) -> None:
    ends = Ends()
    app = application(ends)
    with TestClient(app, https=SlimeTls(*self_signed(tmp_path)), send_timeout=0.3) as client:
        sock = tls_to("127.0.0.1", client.port, ["h2" if version == "2" else "http/1.1"])
        with Http2(sock, reads=False) if version == "2" else Wire(sock) as connection:
            if isinstance(connection, Http2):
                connection.begin("GET", "/large")
            else:
                connection.request("GET", "/large")
            assert ends.next().error == "timeout"


@prefix
@pytest.mark.parametrize("path", ["/endless", "/switch", "/large"])
def test_what_the_server_cuts_as_it_stops_is_told_before_slime_shutdown(prefix: str, path: str) -> None:
    ends = Ends()
    order: list[str] = []
    hooks = {"slime_response_sent": lambda error: order.append(error), "slime_shutdown": lambda: order.append("end")}
    app = application(ends, toy("Last", **hooks))
    with ExitStack() as after, TestClient(app, shutdown_grace=0.1) as client:
        if path == "/switch":
            after.enter_context(switched(client, prefix + path))
        else:
            wire = after.enter_context(raw(client))
            wire.request("GET", prefix + path)
            assert wire.socket.recv(1)
    assert order == ["server stopped", "end"]
    assert (ends.next().route, ends.empty()) == (prefix + path, True)


@prefix
@pytest.mark.parametrize(("how", "error"), [("closes", None), ("resets", "client left"), ("fails", "aborted")])
def test_a_connection_that_has_switched_protocols_is_told_of_at_its_end(
    prefix: str, how: str, error: str | None, unraisable: list[str]
) -> None:
    ends = Ends()
    with TestClient(application(ends)) as client:
        with switched(client, f"{prefix}/switch") as wire:
            assert wire.exactly(7) == b"welcome"
            assert ends.empty()
            if how == "fails":
                wire.send(b"x")
                assert ends.next().said == (f"{prefix}/switch", "GET", f"{prefix}/switch", 101, 7, error)
                return
            if how == "resets":
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert ends.next().said == (f"{prefix}/switch", "GET", f"{prefix}/switch", 101, 7, error)


@version
def test_overload_is_told_of(version: str, tmp_path: Path) -> None:
    ends = Ends()
    app = app_with(ends.plugin())
    held, release = threading.Semaphore(0), threading.Event()

    @app.route("/held", blocking=True)
    def hold(req: SlimeRequest, resp: SlimeResponse) -> str:
        held.release()
        assert release.wait(30)
        return "held"

    arguments = {"pool_threads": 1, "worker_queue_size": 1}
    with TestClient(app, https=SlimeTls(*self_signed(tmp_path)), **arguments) as client:

        def connect() -> Wire:
            wire = Wire(tls_to("127.0.0.1", client.port, ["http/1.1"]))
            wire.request("GET", "/held")
            return wire

        with connect(), Http2.tls("127.0.0.1", client.port) as second, connect() as third:
            assert held.acquire(timeout=10)
            # One of those who come now has a place in the queue.
            streams = [second.begin("GET", "/held") for _ in range(3)] if version == "2" else []
            wires = [] if version == "2" else [connect() for _ in range(2)]
            end = ends.next()
            release.set()
            for wire in (third, *wires):
                wire.close()
            del streams
    assert end[:4] == ("/held", "GET", "/held", 503)
    assert end.error is None


def test_what_is_no_request_is_told_without_method_and_path() -> None:
    ends = Ends()
    with TestClient(application(ends)) as client, raw(client) as wire:
        wire.send(b"\x16\x03\x01 what\r\n\r\n")
        assert wire.answer().status == 400
        end = ends.next()
    assert end[:4] == (None, "-", "-", 400)


def test_an_end_can_be_matched_with_its_request() -> None:
    ids = []

    class Ids(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            ids.append(req.id)

    ends = Ends()
    app = application(ends, toy("Ids", slime_app_middleware=lambda: [Ids()]))
    with TestClient(app) as client:
        for path in ("/whole/1", "/async/whole/2", "/nowhere", "/stream"):
            client.get(path)
        told = [ends.next().request_id for _ in range(4)]
    assert told == ids
    assert len(set(ids)) == 4


@pytest.mark.parametrize("raised", [OSError("full"), SystemExit(3)], ids=repr)
def test_slime_response_sent_that_raises_is_named_in_the_log_and_keeps_nothing_from_the_others(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(status: int) -> None:
        raise raised

    ends = Ends()
    with TestClient(app_with(toy("Broken", slime_response_sent=fail), ends.plugin())) as client:
        for _ in range(2):
            client.get("/")
        assert [ends.next().status for _ in range(2)] == [404, 404]
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    named = f"plugin 'Broken' failed in slime_response_sent: {type(raised).__name__}: {raised}"
    assert errors == [named, named]


def test_answers_do_not_wait_for_who_is_told_and_what_is_missed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    entered, go_on = threading.Event(), threading.Event()
    counted = [0]

    def slow() -> None:
        entered.set()
        assert go_on.wait(60)
        counted[0] += 1

    app = app_with(toy("Slow", slime_response_sent=slow))
    app.route("/")(lambda req, resp: None)
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    def ask(wire: Wire, count: int) -> None:
        for _ in range(count // 100):
            wire.send(request * 100)
            for _ in range(100):
                assert wire.next_answer().status == 204

    with TestClient(app) as client, raw(client, timeout=60) as wire:
        ask(wire, 100)
        assert entered.wait(10)
        ask(wire, 9000)
        go_on.set()
        logged = eventually(lambda: [record for record in caplog.records if "are missing" in record.getMessage()])
    missed = sum(int(record.getMessage().split()[0]) for record in logged)
    assert missed > 0
    assert counted[0] + missed == 9100


def threads() -> list[str]:
    return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]


@pytest.mark.parametrize("wanted", [False, True])
def test_there_is_a_thread_for_it_only_where_a_plugin_implements_it(wanted: bool) -> None:
    app = app_with(*([Ends().plugin()] if wanted else []))
    with TestClient(app) as client:
        client.get("/")
        # A thread names itself as it begins.
        eventually(lambda: ("slime-sent" in threads()) is wanted)
    eventually(lambda: "slime-sent" not in threads())
