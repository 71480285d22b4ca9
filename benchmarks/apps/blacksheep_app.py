"""The workloads on blacksheep, served by granian."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from blacksheep import Application, Request, Response, StreamedContent, WebSocket, get, html, json, post, text, ws
from jinja2 import Environment, FileSystemLoader

HERE = Path(__file__).parent
FRUITS = [("Apple", 1), ("Banana", 2), ("Cherry", 3), ("Date", 4), ("Elderberry", 5)]

app = Application()
app.serve_files(HERE / "static", root_path="static", extensions={".txt"})
templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)


@get("/plaintext")
def plaintext() -> Response:
    return text("Hello, World!")


@get("/plaintext-async")
async def plaintext_async() -> Response:
    return text("Hello, World!")


@get("/sleep")
async def sleep() -> Response:
    await asyncio.sleep(0)
    return text("Hello, World!")


@get("/future")
async def future() -> Response:
    answer = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_result(answer))
    result = await answer
    await task
    return text(result)


async def set_result(answer: "asyncio.Future[str]") -> None:
    answer.set_result("Hello, World!")


@get("/json")
def small_json() -> Response:
    return json({"message": "Hello, World!", "id": 42, "tags": ["a", "b", "c"], "active": True})


@get("/users/{id}")
def user(request: Request) -> Response:
    token = request.get_first_header(b"x-token") or b""
    return text(f"{request.route_values['id']} {request.query['show'][0]} {token.decode()}")


@get("/template")
def template() -> Response:
    return html(templates.get_template("page.html").render(title="Fruit", heading="Fruit & more", fruits=FRUITS))


@get("/stream")
def stream() -> Response:
    return Response(200, content=StreamedContent(b"text/plain; charset=utf-8", pieces))


async def pieces() -> AsyncIterator[bytes]:
    for number in range(5):
        yield b"piece %d of 5\n" % number


@post("/length")
async def length(request: Request) -> Response:
    return text(str(len(await request.read() or b"")))


@ws("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text(await websocket.receive_text())
