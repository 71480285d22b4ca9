"""What the test client adds to requests, streams, switched connections and the application's own exceptions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from slimeweb import HttpError, Slime, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from slimeweb.upgrade import Transport
from support.certificate import self_signed


class Failure(Exception):
    pass


@pytest.fixture
def app() -> Slime:
    app = Slime(__file__)

    @app.route("/api/seen")
    def seen(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        return {
            "authorization": req.header.get("authorization"),
            "cookies": req.get_cookies(),
            "language": req.header.get("accept-language"),
        }

    @app.route("/api/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise Failure("plain")

    @app.route("/api/coroutine")
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise Failure("coroutine")

    @app.route("/api/refused")
    def refused(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise HttpError(503, "later")

    @app.route("/api/cut")
    def cut(req: SlimeRequest, resp: SlimeResponse) -> Any:
        def pieces() -> Iterator[bytes]:
            yield b"one"
            raise Failure("cut")

        return resp.stream(pieces(), content_type="text/plain")

    @app.route("/api/moved")
    def moved(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.redirect("/api/seen")

    return app


def test_defaults_of_the_client_hold_where_a_request_says_nothing_else(app: Slime) -> None:
    with TestClient(
        app,
        base_path="/api",
        headers={"Accept-Language": "de"},
        cookies={"a": "1"},
        auth="t0ken",
        follow_redirects=True,
    ) as client:
        assert client.get("/moved").json() == {"authorization": "Bearer t0ken", "cookies": {"a": "1"}, "language": "de"}
        assert client.get(
            "/seen", headers={"accept-language": "fr"}, cookies={"a": "3", "b": "2"}, auth=("Ada", "pass:wörd")
        ).json() == {
            "authorization": "Basic QWRhOnBhc3M6d8O2cmQ=",
            "cookies": {"a": "3", "b": "2"},
            "language": "fr",
        }
        assert client.cookies == {"a": "1"}
        assert client.get("/moved", follow_redirects=False).status_code == 302
        client.headers = {**client.headers, "accept-language": "it"}
        assert client.get("/seen").json()["language"] == "it"


def test_what_is_no_authorization_or_base_path_is_refused(app: Slime) -> None:
    for auth in (("a:b", "c"), ("a",), 5):
        with pytest.raises(TypeError, match="give \\('user', 'password'\\)"):
            TestClient(app, auth=auth)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has to start with '/'"):
        TestClient(app, base_path="api")


@pytest.mark.parametrize("where", ["plain", "coroutine"])
def test_raise_errors_raises_the_exception_of_the_handler_with_its_traceback(app: Slime, where: str) -> None:
    with TestClient(app, base_path="/api", raise_errors=True) as client:
        with pytest.raises(Failure, match=where) as failure:
            client.get(f"/{where}")
        assert where in [entry.name for entry in failure.traceback]
        assert failure.value.__context__ is None
        assert client.get("/refused").status_code == 503
        assert client.get("/seen").status_code == 200
    with TestClient(app, base_path="/api") as client:
        assert client.get(f"/{where}").status_code == 500


def test_raise_errors_leaves_alone_what_the_application_answers_itself(app: Slime) -> None:
    app.error(Failure)(lambda req, resp, exc: resp.plain(str(exc), status=502))
    with TestClient(app, raise_errors=True) as client:
        assert (client.get("/api/plain").status_code, client.get("/api/plain").text) == (502, "plain")


def test_raise_errors_is_right_with_many_threads(app: Slime) -> None:
    seen: list[str] = []

    def ask(client: TestClient, where: str) -> None:
        for _ in range(20):
            with pytest.raises(Failure, match=where):
                client.get(f"/api/{where}")
        seen.append(where)

    with TestClient(app, raise_errors=True) as client:
        threads = [threading.Thread(target=ask, args=(client, where)) for where in ("plain", "coroutine")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seen) == ["coroutine", "plain"]


class Shout(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport: Transport = transport
        self.transport.write(b"ready")

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())
        if data == b"bye":
            self.transport.close()


@pytest.mark.parametrize("https", [False, True])
def test_an_upgraded_connection_sends_and_receives_bytes(app: Slime, tmp_path: Path, https: bool) -> None:
    @app.route("/api/shout")
    async def shout(req: SlimeRequest, resp: SlimeResponse) -> Any:
        if req.header.get("upgrade") != "shout":
            raise HttpError(426, "shout")
        return resp.switch_protocol(Shout(), headers=[("Upgrade", "shout")])

    with TestClient(app, https=SlimeTls(*self_signed(tmp_path)) if https else None) as client:
        with client.upgrade("/api/shout", "shout") as connection:
            assert connection.is_switched
            assert connection.response.headers["upgrade"] == "shout"
            assert connection.receive() == b"ready"
            with pytest.raises(TimeoutError):
                connection.receive(0.01)
            connection.send(b"hello")
            assert connection.receive() == b"HELLO"
            connection.send(b"bye")
            assert connection.receive() == b"BYE"
            assert connection.receive() == b""
        with client.upgrade("/api/shout", "whisper") as refused:
            assert (refused.response.status_code, refused.response.text) == (426, "shout")
            assert not refused.is_switched
            with pytest.raises(ConnectionError, match="it has answered 426"):
                refused.send(b"hello")
        # One that is left open does not hold up the end.
        client.upgrade("/api/shout", "shout")


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_stream_is_read_as_it_comes(app: Slime, kind: str) -> None:
    goes_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"one\r"
        assert goes_on.wait(10)
        yield b"\nt\xc3"
        yield b"\xa4o\n\nthree"

    @app.route("/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream(pieces(), content_type="text/plain")

    @app.route("/coroutine")
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream(pieces(), content_type="text/plain")

    with TestClient(app) as client:
        with client.stream("GET", f"/{kind}") as stream:
            assert stream.response.status_code == 200
            assert next(stream.pieces()) == b"one\r"
            goes_on.set()
            assert stream.read() == "\ntäo\n\nthree".encode()
        with client.stream("GET", f"/{kind}") as stream:
            assert list(stream.lines()) == ["one", "täo", "", "three"]
        # What is left open does not hold up the end.
        goes_on.clear()
        client.stream("GET", f"/{kind}")
        goes_on.set()


def test_raise_errors_raises_what_has_cut_a_stream(app: Slime) -> None:
    with TestClient(app, raise_errors=True) as client:
        with client.stream("GET", "/api/cut") as stream:
            pieces = stream.pieces()
            assert next(pieces) == b"one"
            with pytest.raises(Failure, match="cut"):
                next(pieces)
        with pytest.raises(Failure, match="cut"):
            client.get("/api/cut")
        with pytest.raises(Failure, match="plain"):
            client.stream("GET", "/api/plain")
    with TestClient(app) as client, client.stream("GET", "/api/cut") as stream, pytest.raises(IncompleteRead):
        stream.read()


def test_leaving_the_client_wakes_who_waits_for_a_stream(app: Slime) -> None:
    goes_on = threading.Event()
    waits = threading.Event()

    @app.route("/")
    def slow(req: SlimeRequest, resp: SlimeResponse) -> Any:
        def pieces() -> Iterator[bytes]:
            yield b"one"
            goes_on.wait(10)

        return resp.stream(pieces(), content_type="text/plain")

    def read() -> None:
        with client.stream("GET", "/") as stream, suppress(IncompleteRead, OSError):
            for _ in stream.pieces():
                waits.set()

    with TestClient(app, shutdown_grace=0) as client:
        thread = threading.Thread(target=read)
        thread.start()
        assert waits.wait(10)
    thread.join(5)
    goes_on.set()
    assert not thread.is_alive()


def test_a_failing_start_is_raised_and_leaves_no_thread(app: Slime) -> None:
    app.start()(lambda: (_ for _ in ()).throw(Failure("start")))
    before = set(threading.enumerate())
    with pytest.raises(Failure, match="start"), TestClient(app):
        pass
    assert set(threading.enumerate()) <= before
