"""What a plugin that carries other frameworks' applications builds on: header fields as octets, coroutines of one loop,
and answers whose clients may leave without ending the handler.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from slimeweb import ClientDisconnected, RouteSpec, Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.condition import eventually
from support.crew import at_once
from support.toys import app_with, kind, raw, toy

Fields = list[tuple[bytes, bytes]]


def echoing(app: Slime, seen: list[Fields]) -> Slime:
    @app.route(path="/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        seen.append(req.raw_headers)
        resp.add_raw_headers([(b"x-a", b"caf\xe9"), [b"X-A", b" two "]])
        return resp.plain("ok")

    @app.route(path="/coro")
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return plain(req, resp)

    return app


@pytest.mark.parametrize("path", ["/plain", "/coro"])
def test_header_fields_are_octets_in_order(path: str) -> None:
    seen: list[Fields] = []
    with TestClient(echoing(app_with(), seen)) as client, raw(client) as wire:
        lines = [b"Host: h", b"X-B: 1", b"Accept: */*", b"X-b: caf\xe9", b"Cookie: a=1"]
        wire.send(b"GET " + path.encode() + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n")
        answer = wire.answer()
    (fields,) = seen
    assert sorted(fields) == sorted(
        [(b"host", b"h"), (b"x-b", b"1"), (b"accept", b"*/*"), (b"x-b", b"caf\xe9"), (b"cookie", b"a=1")]
    )
    assert [value for name, value in fields if name == b"x-b"] == [b"1", b"caf\xe9"]
    assert [value.strip() for name, value in answer.headers if name.lower() == "x-a"] == ["caf\xe9", "two"]


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ([(b"x-a", b"1\r\nx-b: 2")], ValueError, "line break"),
        ([(b"x a", b"1")], ValueError, "'x a' is not a header name|\"x a\" is not a header name"),
        ([("x-a", "1")], TypeError, "pair of bytes"),
        ([b"x-a"], TypeError, "pair of bytes"),
    ],
)
def test_octets_that_are_no_field_are_refused(fields: Any, error: type[Exception], message: str) -> None:
    app = app_with()

    @app.route(path="/")
    def handler(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        with pytest.raises(error, match=message):
            resp.add_raw_headers(fields)
        return resp.plain("refused")

    with TestClient(app) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.text) == (200, "refused")
    assert "x-b" not in answer.headers


def test_framing_fields_given_as_octets_are_the_servers_own(caplog: pytest.LogCaptureFixture) -> None:
    app = app_with()

    @app.route(path="/")
    def handler(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        resp.add_raw_headers([(b"transfer-encoding", b"chunked"), (b"content-length", b"99")])
        return resp.plain("ok")

    with TestClient(app) as client:
        answer = client.get("/")
    assert (answer.text, answer.headers["content-length"]) == ("ok", "2")
    assert "transfer-encoding" in caplog.text


def test_the_coroutines_of_a_route_with_one_loop_share_the_loop_of_start_functions() -> None:
    loops: set[object] = set()
    gathered = asyncio.Barrier(8)

    async def where(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        loops.add(asyncio.get_running_loop())
        # Requests of several connections, and so of several workers, are in here at the same time.
        await asyncio.wait_for(gathered.wait(), 9)
        return resp.plain("ok")

    app = app_with(toy("Carrier", slime_routes=lambda: [RouteSpec.declare("/where", where, one_loop=True)]))

    @app.start()
    async def start() -> None:
        loops.add(asyncio.get_running_loop())

    with TestClient(app, workers=3) as client:
        answers = at_once(8, lambda _: client.get("/where"))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len(loops) == 1


def test_a_client_that_leaves_does_not_end_a_handler_that_asked_for_that() -> None:
    left, told = threading.Event(), threading.Event()

    def patient(route: RouteSpec, handler: Any) -> Any:
        async def run(req: SlimeRequest, resp: SlimeResponse) -> None:
            writer = resp.writer(cancel=False)
            writer.start()
            assert writer.try_write(b"one")
            assert await asyncio.to_thread(left.wait, 30)
            while not writer.is_closed:
                await asyncio.sleep(0.01)
            with pytest.raises(ClientDisconnected):
                writer.try_write(b"two")
            told.set()

        return run

    app = app_with(kind("patient", patient))

    @app.route(path="/", patient=True)
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None: ...

    with TestClient(app) as client:
        with raw(client) as wire:
            wire.request("GET", "/")
            eventually(lambda: b"one" in wire.socket.recv(4096), what="the first piece comes")
        left.set()
        assert told.wait(30)
