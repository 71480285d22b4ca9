"""What the pages of Starlette's documentation show, each page as a small route: it needs a server that keeps its part
of ASGI. Mounted at a path, with two workers, beside a route of slimeweb's own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.condition import eventually

EVENTS: list[str] = []


def client_of(application: Any) -> TestClient:
    app = Slime(__file__)
    app.mount("/api", asgi=application)

    @app.route(path="/api/own")
    def own(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "slimeweb's"

    return TestClient(app, workers=2)


def starlette(folder: Path) -> Any:
    pytest.importorskip("starlette")
    pytest.importorskip("python_multipart")
    from starlette.applications import Starlette
    from starlette.authentication import (
        AuthCredentials,
        AuthenticationBackend,
        AuthenticationError,
        SimpleUser,
        requires,
    )
    from starlette.background import BackgroundTasks
    from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
    from starlette.exceptions import HTTPException, WebSocketException
    from starlette.middleware import Middleware
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles
    from starlette.websockets import WebSocket

    (folder / "page.html").write_text("<p>a page</p>")
    (folder / "letters.txt").write_text("abcdefghij")

    class Basic(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            if "authorization" not in conn.headers:
                return None
            kind, _, credentials = conn.headers["authorization"].partition(" ")
            if kind.lower() != "basic":
                raise AuthenticationError("basic alone")
            name, _, _ = base64.b64decode(credentials).decode().partition(":")
            return AuthCredentials(["authenticated"]), SimpleUser(name)

    class Timed:
        """Middleware in ASGI's own terms."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def send_timed(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-timed", b"1")]
                await send(message)

            await self.app(scope, receive, send_timed)

    async def request_parts(request: Request) -> Any:
        assert request.client is not None
        return JSONResponse(
            {
                "path": request.url.path,
                "query": request.query_params.getlist("q"),
                "cookie": request.cookies.get("session"),
                "agent": request.headers["user-agent"],
                "host": request.client.host,
                "has_port": request.client.port > 0,
                "base": str(request.base_url),
                "id": request.path_params["id"],
            }
        )

    async def body_stream(request: Request) -> Any:
        return PlainTextResponse(str(sum([len(piece) async for piece in request.stream()])))

    async def upload_left(request: Request) -> Any:
        try:
            await request.body()
        except ClientDisconnect:
            EVENTS.append("left")
        return PlainTextResponse("")

    async def cookies(request: Request) -> Any:
        response = RedirectResponse("/api/files/page.html", status_code=303)
        response.set_cookie("a", "1", httponly=True)
        response.set_cookie("b", "2", max_age=60)
        return response

    async def slow_numbers() -> AsyncIterator[str]:
        for number in range(3):
            yield f"<li>{number}"
            await asyncio.sleep(0.001)

    async def streamed(request: Request) -> Any:
        return StreamingResponse(slow_numbers(), media_type="text/html")

    async def until_left(request: Request) -> Any:
        async def ticks() -> AsyncIterator[str]:
            yield "tick"
            while not await request.is_disconnected():
                await asyncio.sleep(0.01)
            EVENTS.append("disconnected")

        return StreamingResponse(ticks())

    async def file(request: Request) -> Any:
        return FileResponse(folder / "letters.txt", filename="letters.txt")

    async def tasks(request: Request) -> Any:
        added = BackgroundTasks()
        for name in ("first", "second"):
            added.add_task(EVENTS.append, name)
        return JSONResponse({"queued": 2}, background=added)

    async def teapot(request: Request) -> Any:
        raise HTTPException(418, "short and stout", headers={"x-why": "tea"})

    async def not_found(request: Request, error: Any) -> Any:
        return PlainTextResponse("nothing here", status_code=404)

    @requires("authenticated", status_code=401)
    async def private(request: Request) -> Any:
        return PlainTextResponse(request.user.display_name)

    class Endpoint(HTTPEndpoint):
        async def get(self, request: Request) -> Any:
            return PlainTextResponse("get")

        def put(self, request: Request) -> Any:
            return PlainTextResponse("put on a thread")

    class Upper(WebSocketEndpoint):
        encoding = "text"

        async def on_connect(self, websocket: WebSocket) -> None:
            await websocket.accept(subprotocol="upper", headers=[(b"x-kind", b"upper")])

        async def on_receive(self, websocket: WebSocket, data: Any) -> None:
            await websocket.send_text(data.upper())

        async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
            EVENTS.append(f"closed {close_code}")

    async def sums(websocket: WebSocket) -> None:
        await websocket.accept()
        async for numbers in websocket.iter_json():
            await websocket.send_json({"sum": sum(numbers)})

    async def refusing(websocket: WebSocket) -> None:
        if "token" not in websocket.query_params:
            raise WebSocketException(1008, "no token")
        await websocket.accept()
        await websocket.close(4000, "only so far")

    return Starlette(
        routes=[
            Route("/parts/{id:int}", request_parts),
            Route("/body", body_stream, methods=["POST"]),
            Route("/left", upload_left, methods=["POST"]),
            Route("/cookies", cookies),
            Route("/streamed", streamed),
            Route("/until-left", until_left),
            Route("/file", file),
            Route("/tasks", tasks, methods=["POST"]),
            Route("/teapot", teapot),
            Route("/private", private),
            Route("/endpoint", Endpoint),
            Mount("/files", StaticFiles(directory=folder), name="static"),
            WebSocketRoute("/ws/upper", Upper),
            WebSocketRoute("/ws/sums", sums),
            WebSocketRoute("/ws/refusing", refusing),
        ],
        middleware=[
            Middleware(Timed),
            Middleware(CORSMiddleware, allow_origins=["https://example.org"], allow_methods=["PUT"]),
            Middleware(GZipMiddleware, minimum_size=1000),
            Middleware(AuthenticationMiddleware, backend=Basic()),
        ],
        exception_handlers={404: not_found},
    )


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIME_DISABLE_PLUGINS", "ws,stream,compress,docs,templates")
        with client_of(starlette(tmp_path_factory.mktemp("static"))) as client:
            yield client


@pytest.fixture(autouse=True)
def _no_events() -> None:
    EVENTS.clear()


def happens(event: str) -> None:
    eventually(lambda: event in EVENTS, within=20, what=f"the event {event!r}")


def test_requests(star: TestClient) -> None:
    answer = star.get("/api/parts/7?q=a&q=b", headers={"User-Agent": "tests", "Cookie": "session=s"})
    assert answer.json() == {
        "path": "/api/parts/7",
        "query": ["a", "b"],
        "cookie": "s",
        "agent": "tests",
        "host": "127.0.0.1",
        "has_port": True,
        "base": f"{star.url}/api/",
        "id": 7,
    }
    assert answer.headers["x-timed"] == "1"
    assert star.get("/api/own").text == "slimeweb's"


def test_a_body_as_a_stream(star: TestClient) -> None:
    assert star.post("/api/body", content=[b"x" * 100_000] * 5).text == "500000"


def test_a_client_that_leaves_its_upload(star: TestClient) -> None:
    with socket.create_connection(("127.0.0.1", star.port), timeout=20) as connection:
        connection.sendall(b"POST /api/left HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
    happens("left")


def test_responses_cookies_and_redirects(star: TestClient) -> None:
    answer = star.get("/api/cookies", follow_redirects=True)
    assert (answer.status_code, answer.text) == (200, "<p>a page</p>")
    assert {"a": "1", "b": "2"}.items() <= dict(star.cookies).items()


def test_streaming_responses(star: TestClient) -> None:
    answer = star.get("/api/streamed")
    assert (answer.text, answer.headers["transfer-encoding"]) == ("<li>0<li>1<li>2", "chunked")


def test_a_stream_ends_when_its_client_has_left(star: TestClient) -> None:
    with socket.create_connection(("127.0.0.1", star.port), timeout=20) as connection:
        connection.sendall(b"GET /api/until-left HTTP/1.1\r\nHost: h\r\n\r\n")
        received = b""
        while b"tick" not in received:
            received += connection.recv(4096)
    happens("disconnected")


def test_file_responses_and_their_ranges(star: TestClient) -> None:
    whole = star.get("/api/file")
    assert (whole.text, whole.headers["content-length"]) == ("abcdefghij", "10")
    assert 'filename="letters.txt"' in whole.headers["content-disposition"]
    part = star.get("/api/file", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.text, part.headers["content-range"]) == (206, "cde", "bytes 2-4/10")
    assert star.get("/api/file", headers={"Range": "bytes=50-"}).status_code == 416
    head = star.head("/api/file")
    assert (head.content, head.headers["content-length"]) == (b"", "10")


def test_static_files(star: TestClient) -> None:
    answer = star.get("/api/files/page.html")
    assert answer.text == "<p>a page</p>"
    again = star.get("/api/files/page.html", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert star.get("/api/files/missing.html").text == "nothing here"


def test_background_tasks_run_in_order_after_the_answer(star: TestClient) -> None:
    assert star.post("/api/tasks").json() == {"queued": 2}
    happens("second")
    assert EVENTS == ["first", "second"]


def test_exceptions_and_their_handlers(star: TestClient) -> None:
    answer = star.get("/api/teapot")
    assert (answer.status_code, answer.text, answer.headers["x-why"]) == (418, "short and stout", "tea")
    assert (star.get("/api/nowhere").status_code, star.get("/api/nowhere").text) == (404, "nothing here")


def test_authentication(star: TestClient) -> None:
    assert star.get("/api/private").status_code == 401
    token = base64.b64encode(b"ada:secret").decode()
    assert star.get("/api/private", headers={"Authorization": f"Basic {token}"}).text == "ada"
    assert star.get("/api/private", headers={"Authorization": "Bearer x"}).text == "basic alone"


def test_endpoints_of_classes(star: TestClient) -> None:
    assert star.get("/api/endpoint").text == "get"
    assert star.put("/api/endpoint").text == "put on a thread"
    refused = star.post("/api/endpoint")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, PUT")


def test_cors(star: TestClient) -> None:
    asks = {"Origin": "https://example.org", "Access-Control-Request-Method": "PUT"}
    preflight = star.options("/api/endpoint", headers=asks)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "https://example.org")
    answer = star.put("/api/endpoint", headers={"Origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "https://example.org"


def test_websocket_endpoints(star: TestClient) -> None:
    with connect(f"ws://127.0.0.1:{star.port}/api/ws/upper", subprotocols=["upper"], open_timeout=20) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "upper"
        assert socket.response is not None
        assert socket.response.headers["x-kind"] == "upper"
        socket.send("quiet")
        assert socket.recv(timeout=20) == "QUIET"
        socket.close(4002)
    happens("closed 4002")


def test_websockets_with_json(star: TestClient) -> None:
    with connect(f"ws://127.0.0.1:{star.port}/api/ws/sums", open_timeout=20) as socket:
        for numbers in ([1, 2, 3], [], [4] * 1000):
            socket.send(json.dumps(numbers))
            assert json.loads(socket.recv(timeout=20)) == {"sum": sum(numbers)}


def test_websockets_that_are_refused_or_closed(star: TestClient) -> None:
    url = f"ws://127.0.0.1:{star.port}/api/ws/refusing"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, open_timeout=20)
    assert refused.value.response.status_code == 403
    with connect(f"{url}?token=t", open_timeout=20) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "only so far")
