"""The workloads on robyn."""

import asyncio
import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from pools import Pools
from robyn import Headers, Request, Response, Robyn, StreamingResponse

HERE = Path(__file__).parent
FRUITS = [("Apple", 1), ("Banana", 2), ("Cherry", 3), ("Date", 4), ("Elderberry", 5)]

app = Robyn(__file__)
# One event loop in each of its processes.
pools = Pools(os.environ.get("DATABASE", ""), size=16)
templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)


@app.get("/plaintext")
def plaintext() -> str:
    return "Hello, World!"


@app.get("/plaintext-async")
async def plaintext_async() -> str:
    return "Hello, World!"


@app.get("/sleep")
async def sleep() -> str:
    await asyncio.sleep(0)
    return "Hello, World!"


@app.get("/future")
async def future() -> str:
    answer = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_result(answer))
    text = await answer
    await task
    return text


async def set_result(answer: "asyncio.Future[str]") -> None:
    answer.set_result("Hello, World!")


@app.get("/json")
def json() -> dict[str, Any]:
    return {"message": "Hello, World!", "id": 42, "tags": ["a", "b", "c"], "active": True}


@app.get("/users/:id")
def user(request: Request) -> str:
    return f"{request.path_params['id']} {request.query_params.get('show', '')} {request.headers.get('x-token')}"


@app.get("/template")
def template() -> Response:
    page = templates.get_template("page.html").render(title="Fruit", heading="Fruit & more", fruits=FRUITS)
    return Response(200, Headers({"Content-Type": "text/html; charset=utf-8"}), page)


@app.get("/stream")
def stream() -> StreamingResponse:
    pieces = (f"piece {number} of 5\n" for number in range(5))
    return StreamingResponse(pieces, headers=Headers({"Content-Type": "text/plain"}), media_type="text/plain")


@app.post("/length")
def length(request: Request) -> str:
    return str(len(request.body))


@app.get("/database/:start")
async def database(request: Request) -> str:
    start, total = int(request.path_params["start"]), 0
    async with pools.connection() as fetch:
        for step in range(20):
            total += await fetch((start + 37 * step) % 10_000 + 1)
    return str(total)


@app.websocket("/echo")
async def echo(websocket: Any) -> None:
    while True:
        await websocket.send_text(await websocket.receive_text())


app.serve_directory("/static", str(HERE / "static"))

if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(os.environ["PORT"]))
