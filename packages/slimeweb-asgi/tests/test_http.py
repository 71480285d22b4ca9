"""HTTP requests to ASGI applications, message by message."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def mounted(application: Any, path: str = "/old") -> Slime:
    app = Slime(__file__)
    app.mount(path, asgi=without_lifespan(application))
    return app


def without_lifespan(application: Any) -> Any:
    async def call(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        assert scope["type"] != "lifespan"
        await application(scope, receive, send)

    return call


async def read(receive: Receive) -> bytes:
    """The whole body of a request."""
    pieces = []
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


@pytest.mark.parametrize(
    ("sent", "client"),
    [({"X-Forwarded-For": "203.0.113.7"}, ("203.0.113.7", 0)), ({}, None), ({"X-Forwarded-For": "?"}, None)],
)
def test_the_port_of_a_client_is_its_own_and_not_a_proxy_s(
    sent: dict[str, str], client: tuple[str, int] | None
) -> None:
    clients: list[tuple[str, int]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        clients.append(scope["client"])
        await send(start(204))
        await send(body())

    with (
        TestClient(mounted(application), trusted_proxies=["127.0.0.1"]) as server,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection,
    ):
        connection.request("GET", "/old/", headers=sent)
        assert connection.getresponse().status == 204
        assert clients == [client or connection.sock.getsockname()]


def test_a_client_on_a_unix_socket_has_no_address(tmp_path: Path) -> None:
    clients: list[tuple[str, int]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        clients.append(scope["client"])
        await send(start(204))
        await send(body())

    with TestClient(mounted(application), unix_socket=tmp_path / "old.sock") as client:
        assert client.get("/old/").status_code == 204
    assert clients == [None]


def test_a_path_may_have_octets_that_are_not_ascii() -> None:
    scopes: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send(start(204))
        await send(body())

    with (
        TestClient(mounted(application)) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection,
    ):
        connection.sendall("GET /old/日é?é HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 204 ")
    (scope,) = scopes
    assert (scope["path"], scope["raw_path"]) == ("/old/日é", "/old/日é".encode())
    assert scope["query_string"] == b"%C3%A9"


@pytest.mark.parametrize(
    ("asked", "path", "answered_by"),
    [
        ("GET", "/old/orders", "own"),
        ("HEAD", "/old/orders", "own"),
        ("POST", "/old/orders", "mounted"),
        ("DELETE", "/old/orders/7", "mounted"),
        ("PUT", "/old/else", "mounted"),
        (None, "/old/orders", "own"),
        (None, "/old/else", "mounted"),
    ],
)
def test_a_preflight_goes_where_the_request_would_go(asked: str | None, path: str, answered_by: str) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start(200, (b"x-by", b"mounted")))
        await send(body())

    app = mounted(application)

    class By(SlimeMiddleware):
        answers_options = True

        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-By", "own")

    @app.route(path="/old/orders", plugin=[By()])
    @app.route(path="/old/orders/{id:int}", method="PATCH", plugin=[By()])
    def orders(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "ours"

    headers = {} if asked is None else {"Access-Control-Request-Method": asked, "Origin": "https://example.org"}
    with TestClient(app) as client:
        answer = client.options(path, headers=headers)
    assert answer.headers.get("x-by") == answered_by, answer


def test_the_scope_is_that_of_the_specification() -> None:
    scopes: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send(start(204))
        await send(body())

    with TestClient(mounted(application)) as client:
        port = client.port
        answer = client.get("/old/a%20b/caf%C3%A9?q=%20x&y", headers={"X-Kind": "caf\xe9", "Host": "example.org:8080"})
    assert (answer.status_code, answer.content) == (204, b"")
    (scope,) = scopes
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
    assert (scope["type"], scope["http_version"], scope["method"], scope["scheme"]) == ("http", "1.1", "GET", "http")
    assert (scope["root_path"], scope["path"]) == ("/old", "/old/a b/café")
    assert (scope["raw_path"], scope["query_string"]) == (b"/old/a%20b/caf%C3%A9", b"q=%20x&y")
    assert (b"x-kind", b"caf\xe9") in scope["headers"]
    assert scope["server"] == ("127.0.0.1", port)
    assert scope["client"][0] == "127.0.0.1"
    assert scope["client"][1] not in (0, port)
    assert scope["state"] == {}


@pytest.mark.parametrize(
    ("path", "target"),
    [("/old", "/old"), ("/old", "/old/"), ("/old", "/old/x/y"), ("/a/b", "/a/b/c"), ("", "/"), ("", "/x"), ("", "/x/")],
)
def test_a_mount_answers_at_its_path_and_below(path: str, target: str) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(scope["path"].encode()))

    with TestClient(mounted(application, path)) as client:
        answer = client.get(target)
        assert (answer.status_code, answer.text) == (200, target)
        assert client.request("PURGE", target).text == target


def test_the_routes_of_the_application_itself_come_first() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"old"))

    app = mounted(application, "")

    @app.route(path="/new/{id:int}")
    def new(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("new")

    with TestClient(app) as client:
        assert [client.get(path).text for path in ("/new/7", "/new/x", "/")] == ["new", "old", "old"]


def test_a_body_arrives_in_pieces_and_goes_out_in_pieces() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-type", b"application/x-echo")))
        while True:
            message = await receive()
            await send(body(message["body"], more=message["more_body"]))
            if not message["more_body"]:
                return

    data = bytes(range(256)) * 4000
    with TestClient(mounted(application)) as client:
        answer = client.post("/old/", content=data)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-echo")
    assert answer.content == data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_whole_answer_keeps_its_headers(method: str) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start(201, (b"x-a", b"1"), (b"X-A", b"2"), (b"content-length", b"5")))
        await send(body(b"hello"))

    with TestClient(mounted(application)) as client:
        answer = client.request(method, "/old")
    assert (answer.status_code, answer.content) == (201, b"" if method == "HEAD" else b"hello")
    assert answer.header_all("x-a") == ["1", "2"]
    assert answer.headers["content-length"] == "5"
    assert "content-type" not in answer.headers


def test_a_whole_answer_is_out_before_what_the_application_does_after_it() -> None:
    go_on, done = threading.Event(), threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-length", b"2")))
        await send(body(b"ok"))
        assert await asyncio.to_thread(go_on.wait, 30)
        done.set()

    with TestClient(mounted(application)) as client:
        assert client.get("/old").text == "ok"
        assert not done.is_set()
        go_on.set()
        assert done.wait(30)


def test_cancel_scopes_hold_across_an_answer() -> None:
    """What an application enters before its answer it leaves after it, in the same task."""
    tasks: list[Any] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        tasks.append(asyncio.current_task())
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            await send(start())
            await send(body(b"ok"))
            await asyncio.sleep(0.01)
        tasks.append(asyncio.current_task())

    with TestClient(mounted(application)) as client:
        assert client.get("/old").text == "ok"
    assert tasks[0] is tasks[1]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "returned before its answer was complete"),
        ([start()], "returned before its answer was complete"),
        ([body(b"x")], "'http.response.body', which has no place"),
        ([start(), start()], "'http.response.start', which has no place"),
        ([start(99), body()], "99 is not a status"),
        ([start(200, (b"x-a", b"1\r\n2")), body()], "line break"),
        ([{"type": "http.response.push"}], "'http.response.push', which has no place"),
    ],
)
def test_an_application_that_breaks_the_rules_is_a_500(
    messages: list[dict[str, Any]], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with TestClient(mounted(application)) as client:
        answer = client.get("/old")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert text in caplog.text


def test_what_an_application_raises_goes_through_the_error_handlers() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        raise LookupError("not here")

    app = mounted(application)

    @app.error(LookupError)
    def lookup(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("custom", status=404)

    with TestClient(app) as client:
        answer = client.get("/old")
    assert (answer.status_code, answer.text) == (404, "custom")


def test_a_failure_that_the_application_has_answered_keeps_that_answer(caplog: pytest.LogCaptureFixture) -> None:
    """Frameworks raise again what they have answered, for the server to report."""

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start(500, (b"x-own", b"1")))
        await send(body(b"our own page"))
        raise ValueError("reported once")

    with TestClient(mounted(application)) as client:
        answer = client.get("/old")
    assert (answer.status_code, answer.text, answer.headers["x-own"]) == (500, "our own page", "1")
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["reported once"]


def test_header_fields_may_be_lists() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [[b"x-a", b"1"], (b"x-a", b"2")]})
        await send(body(b"ok"))

    with TestClient(mounted(application)) as client:
        answer = client.get("/old")
    assert (answer.text, answer.header_all("x-a")) == ("ok", ["1", "2"])


def test_a_failure_after_the_head_cuts_the_answer() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"one", more=True))
        raise ValueError("in the middle")

    with TestClient(mounted(application)) as client, pytest.raises((OSError, http.client.IncompleteRead)):
        client.get("/old")


def test_a_body_over_the_limit_is_refused() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        data = await read(receive)
        await send(start())
        await send(body(b"%d" % len(data)))

    app = Slime(__file__)
    app.mount("/old", asgi=without_lifespan(application), body_size=1000)
    with TestClient(app) as client:
        assert client.post("/old", content=b"x" * 1000).text == "1000"
        assert client.post("/old", content=b"x" * 1001).status_code == 400


def test_send_raises_once_the_client_has_left() -> None:
    told = threading.Event()
    errors: list[OSError] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                await send(body(b"x" * 65536, more=True))
        except OSError as error:
            errors.append(error)
            told.set()
            raise

    with TestClient(mounted(application)) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
            connection.sendall(b"GET /old HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(1000)
        assert told.wait(30)
    assert "client has left" in str(errors[0])


def test_a_client_that_leaves_does_not_cancel_the_application() -> None:
    left, outcome = threading.Event(), []
    done = threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"x", more=True))
        try:
            assert await asyncio.to_thread(left.wait, 30)
            # What it does for itself it can finish.
            await asyncio.sleep(0.05)
            outcome.append("finished")
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise
        finally:
            done.set()

    with TestClient(mounted(application)) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
            connection.sendall(b"GET /old HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(1000)
        left.set()
        assert done.wait(30)
    assert outcome == ["finished"]


def test_all_requests_of_an_application_are_on_the_loop_of_its_lifespan() -> None:
    loops: set[object] = set()
    together = asyncio.Barrier(6)

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        loops.add(asyncio.get_running_loop())
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await asyncio.wait_for(together.wait(), 20)
        await send(start())
        await send(body(b"ok"))

    app = Slime(__file__)
    app.mount("", asgi=application)
    answers: list[int] = []
    with TestClient(app, workers=3, timeout=30) as client:
        crew = [threading.Thread(target=lambda: answers.append(client.get("/").status_code)) for _ in range(6)]
        for each in crew:
            each.start()
        for each in crew:
            each.join(30)
    assert answers == [200] * 6
    assert len(loops) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"path": "/x"}, TypeError, "asgi=… or as wsgi=…"),
        ({"path": "/x", "asgi": print, "wsgi": print}, TypeError, "asgi=… or as wsgi=…"),
        ({"path": "/x", "asgi": 7}, TypeError, "an application is callable"),
        ({"path": 7, "wsgi": print}, TypeError, "as text"),
        ({"path": "x", "wsgi": print}, ValueError, "starts with a slash"),
        ({"path": "/x/", "wsgi": print}, ValueError, "ends without one"),
        ({"path": "/", "wsgi": print}, ValueError, "'' is every path"),
        ({"path": "/{id}", "wsgi": print}, ValueError, "no parameters"),
    ],
)
def test_a_mount_that_cannot_be_is_refused(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    app = Slime(__file__)
    with pytest.raises(error, match=text):
        app.mount(**arguments)


def test_a_path_is_mounted_once() -> None:
    app = Slime(__file__)
    app.mount("/x", wsgi=print)
    with pytest.raises(ValueError, match="mounted there already"):
        app.mount("/x", wsgi=print)


def test_an_asgi_application_given_as_wsgi_is_told() -> None:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None: ...

    with pytest.raises(TypeError, match="this is an ASGI application"):
        Slime(__file__).mount("/x", wsgi=application)


def ask_and_leave(application: Any, data: bytes, waiting: threading.Event, heard: threading.Event) -> None:
    """Sends `data`, leaves once the application waits, and sees that it hears of that."""
    with TestClient(mounted(application)) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
            connection.sendall(data)
            assert waiting.wait(30)
        assert heard.wait(30)


def test_the_application_hears_that_its_client_has_left() -> None:
    waiting, heard = threading.Event(), threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await read(receive)
        waiting.set()
        assert await receive() == {"type": "http.disconnect"}
        heard.set()
        await send(start())
        await send(body(b"for nobody"))

    ask_and_leave(application, b"GET /old HTTP/1.1\r\nHost: h\r\n\r\n", waiting, heard)


def test_the_application_hears_that_its_client_has_left_in_the_middle_of_its_body() -> None:
    begun, heard = threading.Event(), threading.Event()

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        message = await receive()
        assert message == {"type": "http.request", "body": b"12345", "more_body": True}
        begun.set()
        for _ in range(3):
            assert await receive() == {"type": "http.disconnect"}
        heard.set()
        await send(start())
        await send(body(b"for nobody"))

    ask_and_leave(application, b"POST /old HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345", begun, heard)


def test_the_application_hears_of_the_end_after_its_answer() -> None:
    heard: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await read(receive)
        await send(start())
        await send(body(b"ok"))
        heard.append(await receive())

    with TestClient(mounted(application)) as client:
        assert client.get("/old").text == "ok"
    assert heard == [{"type": "http.disconnect"}]
