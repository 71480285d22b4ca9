"""Applications of other frameworks, mounted beside slimeweb's own routes, with two workers.

Each is the same small application. It answers `GET /hello`, `GET /fails` with 500, `POST /form` (a field `a`), `POST
/upload` (a file `f`), `GET /stream`, `GET /link` (its own address of /hello), `GET /background` (which sets `DONE`
after the answer), `GET /lifespan` (what the start of the application left), and echoes in capitals at the WebSocket
`/ws`, as far as the framework has these things: `Carried.without` names what it has not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.sync.client import connect

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient

DONE = threading.Event()


@dataclass(frozen=True)
class Carried:
    """An application, by `app.mount`'s argument, and what its framework has not."""

    interface: str
    application: Any
    without: frozenset[str] = frozenset()


def lines() -> Iterator[str]:
    return (f"line {number}\n" for number in range(5))


async def lines_async() -> AsyncIterator[str]:
    for line in lines():
        yield line
        await asyncio.sleep(0)


def starlette() -> Carried:
    pytest.importorskip("starlette")
    pytest.importorskip("python_multipart")
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": "open"}

    class Tagging(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["x-tag"] = "tagged"
            return response

    async def hello(request: Request) -> Any:
        return PlainTextResponse("hello")

    async def fails(request: Request) -> Any:
        raise ValueError("on purpose")

    async def form(request: Request) -> Any:
        async with request.form() as fields:
            return PlainTextResponse(str(fields["a"]))

    async def upload(request: Request) -> Any:
        async with request.form() as fields:
            file: Any = fields["f"]
            return PlainTextResponse(f"{file.filename} {len(await file.read())}")

    async def stream(request: Request) -> Any:
        return StreamingResponse(lines_async(), media_type="text/plain")

    async def link(request: Request) -> Any:
        return PlainTextResponse(str(request.url_for("hello")))

    async def background(request: Request) -> Any:
        return PlainTextResponse("queued", background=BackgroundTask(DONE.set))

    async def state(request: Request) -> Any:
        return PlainTextResponse(request.state.pool)

    async def websocket(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())

    functions = (hello, fails, stream, link, background)
    routes = [
        *(Route(f"/{function.__name__}", function) for function in functions),
        Route("/lifespan", state),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        WebSocketRoute("/ws", websocket),
    ]
    return Carried("asgi", Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Tagging)]))


def fastapi() -> Carried:
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    from fastapi import BackgroundTasks, FastAPI, Form, Request, UploadFile, WebSocket
    from fastapi.responses import PlainTextResponse, StreamingResponse

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = "open"
        yield
        app.state.pool = "closed"

    app = FastAPI(lifespan=lifespan, default_response_class=PlainTextResponse)

    @app.get("/hello", name="hello")
    def hello() -> str:
        # A plain function, for which the framework has threads of its own.
        return "hello"

    @app.get("/fails")
    async def fails() -> str:
        raise ValueError("on purpose")

    @app.post("/form")
    async def form(a: str = Form()) -> str:
        return a

    async def upload(f: UploadFile) -> str:
        return f"{f.filename} {len(await f.read())}"

    # The annotation is text, and the name is this function's.
    upload.__annotations__["f"] = UploadFile
    app.post("/upload")(upload)

    @app.get("/stream")
    async def stream() -> Any:
        return StreamingResponse(lines(), media_type="text/plain")

    async def link(request: Request) -> str:
        return str(request.url_for("hello"))

    link.__annotations__["request"] = Request
    app.get("/link")(link)

    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(DONE.set)
        return "queued"

    background.__annotations__["tasks"] = BackgroundTasks
    app.get("/background")(background)

    @app.get("/lifespan")
    async def state() -> str:
        return str(app.state.pool)

    async def websocket(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())

    websocket.__annotations__["socket"] = WebSocket
    app.websocket("/ws")(websocket)
    return Carried("asgi", app)


def litestar() -> Carried:
    pytest.importorskip("litestar")
    from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post
    from litestar import websocket as websocket_route
    from litestar.background_tasks import BackgroundTask
    from litestar.response import Stream

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.pool = "open"
        yield

    def text(path: str, function: Any, name: str | None = None) -> Any:
        function.__annotations__ |= {"return": str, "request": Request}
        return get(path, media_type=MediaType.TEXT, name=name)(function)

    async def hello(request: Any) -> Any:
        return "hello"

    async def fails(request: Any) -> Any:
        raise ValueError("on purpose")

    async def link(request: Any) -> Any:
        return str(request.url_for("hello"))

    async def state(request: Any) -> Any:
        return request.app.state.pool

    async def form(request: Any) -> Any:
        return (await request.form())["a"]

    async def upload(request: Any) -> Any:
        file = (await request.form())["f"]
        return f"{file.filename} {len(await file.read())}"

    for function in (form, upload):
        function.__annotations__ |= {"request": Request, "return": str}

    async def stream() -> Any:
        return Stream(lines_async(), media_type="text/plain")

    stream.__annotations__["return"] = Stream

    async def set_done() -> None:
        DONE.set()

    async def background() -> Any:
        return Response("queued", media_type=MediaType.TEXT, background=BackgroundTask(set_done))

    background.__annotations__["return"] = Response[str]

    async def websocket(socket: Any) -> None:
        await socket.accept()
        async for message in socket.iter_data():
            await socket.send_text(message.upper())

    websocket.__annotations__ |= {"socket": WebSocket, "return": None}
    handlers = [
        text("/hello", hello, "hello"),
        text("/fails", fails),
        text("/link", link),
        text("/lifespan", state),
        post("/form", media_type=MediaType.TEXT, status_code=200)(form),
        post("/upload", media_type=MediaType.TEXT, status_code=200)(upload),
        get("/stream")(stream),
        get("/background")(background),
        websocket_route("/ws")(websocket),
    ]
    return Carried("asgi", Litestar(handlers, lifespan=[lifespan], openapi_config=None, logging_config=None))


def _django(interface: str) -> Carried:
    pytest.importorskip("django")
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, StreamingHttpResponse
    from django.urls import path, reverse
    from django.views.decorators.csrf import csrf_exempt

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=(),
            SECRET_KEY="of a test",
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.gzip.GZipMiddleware"],
        )
        django.setup()

    def hello(request: Any) -> Any:
        return HttpResponse("hello")

    def fails(request: Any) -> Any:
        raise ValueError("on purpose")

    @csrf_exempt
    def form(request: Any) -> Any:
        return HttpResponse(request.POST["a"])

    @csrf_exempt
    def upload(request: Any) -> Any:
        file = request.FILES["f"]
        return HttpResponse(f"{file.name} {len(file.read())}")

    def stream(request: Any) -> Any:
        return StreamingHttpResponse(lines_async() if interface == "asgi" else lines(), content_type="text/plain")

    def link(request: Any) -> Any:
        return HttpResponse(request.build_absolute_uri(reverse("hello")))

    functions = (hello, fails, form, upload, stream, link)
    settings.ROOT_URLCONF = tuple(path(function.__name__, function, name=function.__name__) for function in functions)
    application = get_asgi_application() if interface == "asgi" else get_wsgi_application()
    return Carried(interface, application, frozenset({"background", "lifespan", "ws"}))


def django_asgi() -> Carried:
    return _django("asgi")


def django_wsgi() -> Carried:
    return _django("wsgi")


def flask() -> Carried:
    pytest.importorskip("flask")
    from flask import Flask, request, url_for

    app = Flask("carried")

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    @app.get("/fails")
    def fails() -> str:
        raise ValueError("on purpose")

    @app.post("/form")
    def form() -> str:
        return request.form["a"]

    @app.post("/upload")
    def upload() -> str:
        file = request.files["f"]
        return f"{file.filename} {len(file.read())}"

    @app.get("/stream")
    def stream() -> Any:
        return lines(), {"Content-Type": "text/plain"}

    @app.get("/link")
    def link() -> str:
        return url_for("hello", _external=True)

    return Carried("wsgi", app, frozenset({"background", "lifespan", "ws"}))


FRAMEWORKS = {each.__name__: each for each in (starlette, fastapi, litestar, django_asgi, django_wsgi, flask)}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def carried(request: pytest.FixtureRequest) -> Carried:
    made: Carried = FRAMEWORKS[request.param]()
    return made


@pytest.fixture(scope="module")
def client(carried: Carried) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SLIME_DISABLE_PLUGINS", "ws,stream,compress,docs,templates")
        app = Slime(__file__)
    app.mount("/old", **{carried.interface: carried.application})

    @app.route(path="/old/new")
    def new(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("new")

    with TestClient(app, workers=2, timeout=30) as client:
        yield client


def test_plain_answers(client: TestClient) -> None:
    for _ in range(3):
        answer = client.get("/old/hello")
        assert (answer.status_code, answer.text) == (200, "hello")
    assert client.head("/old/hello").status_code in (200, 405)
    assert client.get("/old/missing").status_code == 404
    assert client.get("/old/fails").status_code == 500
    assert client.get("/old/hello").text == "hello"


def test_routes_beside_it(client: TestClient) -> None:
    assert client.get("/old/new").text == "new"
    assert client.get("/elsewhere").status_code == 404


def test_forms_and_uploads(client: TestClient) -> None:
    assert client.post("/old/form", data={"a": "ä & b"}).text == "ä & b"
    data = bytes(range(256)) * 2000
    answer = client.post("/old/upload", files={"f": ("name.bin", data, "application/octet-stream")})
    assert (answer.status_code, answer.text) == (200, f"name.bin {len(data)}")


def test_streams(client: TestClient) -> None:
    answer = client.get("/old/stream")
    assert (answer.status_code, answer.text) == (200, "".join(f"line {number}\n" for number in range(5)))


def test_its_own_addresses(client: TestClient) -> None:
    assert client.get("/old/link").text == f"{client.url}/old/hello"


def test_many_requests_at_once(client: TestClient) -> None:
    with ThreadPoolExecutor(16) as crew:
        texts = list(crew.map(lambda number: client.post("/old/form", data={"a": str(number)}).text, range(200)))
    assert texts == [str(number) for number in range(200)]


def test_background_tasks(client: TestClient, carried: Carried) -> None:
    if "background" in carried.without:
        pytest.skip("the framework has none")
    DONE.clear()
    assert client.get("/old/background").text == "queued"
    assert DONE.wait(30)


def test_the_start_of_the_application(client: TestClient, carried: Carried) -> None:
    if "lifespan" in carried.without:
        pytest.skip("the framework has none")
    assert client.get("/old/lifespan").text == "open"


def test_websockets(client: TestClient, carried: Carried) -> None:
    if "ws" in carried.without:
        pytest.skip("the framework has none")
    with connect(f"ws://127.0.0.1:{client.port}/old/ws", open_timeout=30) as connection:
        for text in ("hello", "x" * 100_000):
            connection.send(text)
            assert connection.recv(timeout=30) == text.upper()
