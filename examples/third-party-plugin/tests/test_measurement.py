"""What is counted, and under which labels."""

from __future__ import annotations

import asyncio
import socket
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from slimeweb import (
    HttpError,
    RouteKind,
    RouteOption,
    RouteSpec,
    Slime,
    SlimeMiddleware,
    SlimeRequest,
    SlimeResponse,
    hookimpl,
)
from slimeweb.testing import TestClient

WAIT = 15.0
"""Seconds after which what a test waits for is not going to happen."""


def count(app: Slime, route: str, status: int, method: str = "GET") -> float:
    labels = {"route": route, "method": method, "status": str(status)}
    return app.metrics.get_sample_value("http_requests_total", labels) or 0


def timed(app: Slime, route: str, method: str = "GET") -> float:
    labels = {"route": route, "method": method}
    return app.metrics.get_sample_value("http_request_duration_seconds_count", labels) or 0


def seconds(app: Slime, route: str) -> float:
    labels = {"route": route, "method": "GET"}
    return app.metrics.get_sample_value("http_request_duration_seconds_sum", labels) or 0


def in_flight(app: Slime) -> float:
    value: float = app.metrics.get_sample_value("http_requests_in_flight")
    return value


def series(app: Slime) -> set[tuple[str, str, str]]:
    """The labels of all that has been counted: route, method, status."""
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"])
        for metric in app.metrics.collect()
        for sample in metric.samples
        if sample.name == "http_requests_total"
    }


def test_requests_are_counted_by_route_method_and_status(app: Slime) -> None:
    @app.route(path="/users/{id:int}", method=["GET", "DELETE"])
    def user(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.plain("gone", status=410) if req.params["id"] == 3 else "a user"

    @app.route(path="/later")
    async def later(req: SlimeRequest, resp: SlimeResponse) -> str:
        await asyncio.sleep(0)
        return "at last"

    with TestClient(app) as client:
        for path in ("/users/1", "/users/2", "/users/3", "/later?x=1"):
            client.get(path)
        client.delete("/users/1")
        client.head("/users/1")
        client.options("/users/1")
    assert count(app, "/users/{id:int}", 200) == 2
    assert count(app, "/users/{id:int}", 410) == 1
    assert count(app, "/users/{id:int}", 200, "DELETE") == 1
    assert count(app, "/users/{id:int}", 200, "HEAD") == 1
    assert count(app, "/users/{id:int}", 204, "OPTIONS") == 1
    assert count(app, "/later", 200) == 1
    assert timed(app, "/users/{id:int}") == 3
    assert timed(app, "/users/{id:int}", "DELETE") == 1


def test_the_time_is_that_of_the_handler(app: Slime) -> None:
    """In seconds: a handler that waits for a tenth of one has a sum of at least that."""
    never = threading.Event()

    @app.route(path="/slow")
    def slow(req: SlimeRequest, resp: SlimeResponse) -> str:
        never.wait(0.1)
        return "done"

    app.route(path="/fast")(lambda req, resp: "done")
    with TestClient(app) as client:
        client.get("/slow")
        client.get("/fast")
    assert 0.1 <= seconds(app, "/slow") < WAIT
    assert seconds(app, "/fast") > 0


def test_what_no_route_answers_is_one_series_whatever_the_path(app: Slime) -> None:
    app.route(path="/")(lambda req, resp: "home")
    with TestClient(app) as client:
        for number in range(20):
            assert client.get(f"/{number}").status_code == 404
        assert client.post("/").status_code == 405
    assert series(app) == {("unmatched", "GET", "404"), ("unmatched", "POST", "405")}
    assert count(app, "unmatched", 404) == 20


def test_methods_that_a_client_makes_up_are_one_series(app: Slime) -> None:
    app.route(path="/", method="*")(lambda req, resp: "home")
    with TestClient(app) as client:
        for number in range(20):
            assert client.request(f"BREW{number}", "/").status_code == 200
    assert series(app) == {("/", "other", "200")}


def test_failures_and_refusals_have_the_status_that_the_client_sees(app: Slime) -> None:
    class Guard(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            return resp.plain("who are you?", status=401) if "stranger" in req.query else None

    @app.route(path="/broken")
    def broken(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise LookupError

    @app.route(path="/missing")
    async def missing(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise HttpError(404)

    app.use(Guard())
    with TestClient(app) as client:
        for path in ("/broken", "/missing", "/broken?stranger"):
            client.get(path)
    assert series(app) == {("/broken", "GET", "500"), ("/missing", "GET", "404"), ("/broken", "GET", "401")}
    assert in_flight(app) == 0


@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_requests_in_flight_are_those_that_are_being_answered(app: Slime, path: str) -> None:
    entered, go_on = threading.Semaphore(0), threading.Event()

    @app.route(path="/plain", blocking=True)
    def plain(req: SlimeRequest, resp: SlimeResponse) -> str:
        entered.release()
        assert go_on.wait(WAIT)
        return "done"

    @app.route(path="/async")
    async def asynchronous(req: SlimeRequest, resp: SlimeResponse) -> str:
        entered.release()
        assert await asyncio.to_thread(go_on.wait, WAIT)
        return "done"

    with TestClient(app) as client, ThreadPoolExecutor(3) as crowd:
        answers = [crowd.submit(client.get, path) for _ in range(3)]
        for _ in answers:
            assert entered.acquire(timeout=WAIT)
        assert in_flight(app) == 3
        assert count(app, path, 200) == 0
        go_on.set()
        assert [answer.result(WAIT).text for answer in answers] == ["done"] * 3
        assert in_flight(app) == 0
    assert count(app, path, 200) == 3


def test_many_threads_lose_no_count(app: Slime) -> None:
    app.route(path="/{name}")(lambda req, resp: req.params["name"])
    with TestClient(app, workers=2) as client, ThreadPoolExecutor(8) as crowd:
        answers = crowd.map(lambda number: client.get(f"/{number}").status_code, range(800))
        assert set(answers) == {200}
    assert count(app, "/{name}", 200) == timed(app, "/{name}") == 800
    assert in_flight(app) == 0


def test_two_applications_do_not_count_each_others_requests() -> None:
    first, second = Slime(__file__), Slime(__file__)
    for app in (first, second):
        app.route(path="/")(lambda req, resp: "home")
    with TestClient(first) as client, TestClient(second):
        client.get("/")
    assert count(first, "/", 200) == 1
    assert series(second) == set()


def test_an_application_that_is_served_again_goes_on_counting(app: Slime) -> None:
    app.route(path="/")(lambda req, resp: "home")
    for served in (1, 2):
        with TestClient(app) as client:
            client.get("/")
        assert count(app, "/", 200) == served


class Streams:
    """Routes with `chunks=True` get a writer in place of the response."""

    @hookimpl
    def slime_route_options(self) -> list[RouteOption]:
        return [RouteOption("chunks", default=False, validate=bool)]

    @hookimpl
    def slime_route_kind(self, route: RouteSpec) -> RouteKind | None:
        def wrap(route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
            return lambda req, resp: handler(req, resp.writer())

        return RouteKind("chunks", wrap) if route.options["chunks"] else None


def test_a_stream_is_in_flight_until_its_handler_has_returned() -> None:
    app = Slime(__file__, plugins=[Streams()])
    go_on = threading.Event()

    @app.route(path="/stream", chunks=True)
    def stream(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        writer.write(b"one")
        assert go_on.wait(WAIT)
        # The server closes it, once the middleware is done.
        writer.write(b"two")

    with TestClient(app) as client, connection(client, "/stream") as wire:
        assert wire.read_until(b"one\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        assert in_flight(app) == 1
        go_on.set()
        wire.read_until(b"0\r\n\r\n")
        assert in_flight(app) == 0
    assert count(app, "/stream", 200) == timed(app, "/stream") == 1


def test_a_stream_whose_client_leaves_is_in_flight_no_more() -> None:
    left = threading.Event()

    class Leaving(SlimeMiddleware):
        """Outside of the measurement, so that this is after it."""

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            left.set()

    class First:
        @hookimpl(tryfirst=True)
        def slime_app_middleware(self) -> list[SlimeMiddleware]:
            return [Leaving()]

    app = Slime(__file__, plugins=[Streams(), First()])

    @app.route(path="/stream", chunks=True)
    def stream(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        while True:
            # Until the client leaves: that raises ClientDisconnected.
            writer.write(b"more" * 1024)

    with TestClient(app) as client:
        with connection(client, "/stream") as wire:
            wire.read_until(b"more")
        assert left.wait(WAIT)
        assert in_flight(app) == 0
        assert count(app, "/stream", 200) == 1


class Echo:
    """The smallest protocol to switch to."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, exc: BaseException | None) -> None: ...


def test_a_switched_connection_is_counted_and_in_flight_no_more(app: Slime) -> None:
    @app.route(path="/echo")
    def echo(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.switch_protocol(Echo(), [("Upgrade", "echo/1")])

    with TestClient(app) as client, connection(client, "/echo", "Connection: Upgrade\r\nUpgrade: echo/1\r\n") as wire:
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        wire.socket.sendall(b"hello")
        assert wire.read_until(b"hello")
        assert in_flight(app) == 0
        assert series(app) == {("/echo", "GET", "101")}


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this build has a GIL")
def test_the_gil_stays_off() -> None:
    assert not getattr(sys, "_is_gil_enabled")()  # noqa: B009


class Wire:
    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            piece = self.socket.recv(4096)
            assert piece, f"the server closed after {data!r}"
            data += piece
        return data


@contextmanager
def connection(client: TestClient, path: str, headers: str = "") -> Iterator[Wire]:
    """A connection of its own on which one request has been sent."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=WAIT) as connected:
        connected.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        yield Wire(connected)
