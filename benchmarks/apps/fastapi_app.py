"""The workloads on fastapi, served by uvicorn.

Plain functions would run in a pool of threads, slower than a coroutine that does not wait: every handler is one.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import asyncpg
from fastapi import FastAPI, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader

HERE = Path(__file__).parent
FRUITS = [("Apple", 1), ("Banana", 2), ("Cherry", 3), ("Date", 4), ("Elderberry", 5)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    if "DATABASE" not in os.environ:
        yield
        return
    async with asyncpg.create_pool(os.environ["DATABASE"], min_size=4, max_size=32 // WORKERS) as pool:
        app.state.pool = pool
        yield


WORKERS = int(os.environ["WORKERS"])

app = FastAPI(lifespan=lifespan)
app.mount("/static", StaticFiles(directory=HERE / "static"))
templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)


@app.get("/plaintext")
@app.get("/plaintext-async")
async def plaintext() -> PlainTextResponse:
    return PlainTextResponse("Hello, World!")


@app.get("/sleep")
async def sleep() -> PlainTextResponse:
    await asyncio.sleep(0)
    return PlainTextResponse("Hello, World!")


@app.get("/future")
async def future() -> PlainTextResponse:
    answer = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_result(answer))
    text = await answer
    await task
    return PlainTextResponse(text)


async def set_result(answer: "asyncio.Future[str]") -> None:
    answer.set_result("Hello, World!")


@app.get("/json")
async def small_json() -> JSONResponse:
    return JSONResponse({"message": "Hello, World!", "id": 42, "tags": ["a", "b", "c"], "active": True})


@app.get("/users/{id}")
async def user(id: str, show: str, x_token: Annotated[str, Header()]) -> PlainTextResponse:
    return PlainTextResponse(f"{id} {show} {x_token}")


@app.get("/template")
async def template() -> HTMLResponse:
    page = templates.get_template("page.html").render(title="Fruit", heading="Fruit & more", fruits=FRUITS)
    return HTMLResponse(page)


@app.get("/stream")
async def stream() -> StreamingResponse:
    return StreamingResponse(pieces(), media_type="text/plain")


async def pieces() -> AsyncIterator[bytes]:
    for number in range(5):
        yield b"piece %d of 5\n" % number


@app.post("/length")
async def length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@app.get("/database/{start}")
async def database(start: int) -> PlainTextResponse:
    total = 0
    async with app.state.pool.acquire() as connection:
        for step in range(20):
            total += await connection.fetchval(
                "select value from numbers where id = $1", (start + 37 * step) % 10_000 + 1
            )
    return PlainTextResponse(str(total))


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass
