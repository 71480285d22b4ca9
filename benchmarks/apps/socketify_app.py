"""The workloads on socketify: `python -m socketify socketify_app:run`."""

import asyncio
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from socketify import App

HERE = Path(__file__).parent
FRUITS = [("Apple", 1), ("Banana", 2), ("Cherry", 3), ("Date", 4), ("Elderberry", 5)]
TEXT = b"text/plain; charset=utf-8"

templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)


def plaintext(res: Any, req: Any) -> None:
    res.send(b"Hello, World!", content_type=TEXT)


async def plaintext_async(res: Any, req: Any) -> None:
    res.cork_send(b"Hello, World!", content_type=TEXT)


async def sleep(res: Any, req: Any) -> None:
    await asyncio.sleep(0)
    res.cork_send(b"Hello, World!", content_type=TEXT)


async def future(res: Any, req: Any) -> None:
    answer = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_result(answer))
    text = await answer
    await task
    res.cork_send(text, content_type=TEXT)


async def set_result(answer: "asyncio.Future[str]") -> None:
    answer.set_result("Hello, World!")


def json(res: Any, req: Any) -> None:
    res.send({"message": "Hello, World!", "id": 42, "tags": ["a", "b", "c"], "active": True})


def user(res: Any, req: Any) -> None:
    res.send(f"{req.get_parameter(0)} {req.get_query('show')} {req.get_header('x-token')}", content_type=TEXT)


def template(res: Any, req: Any) -> None:
    page = templates.get_template("page.html").render(title="Fruit", heading="Fruit & more", fruits=FRUITS)
    res.send(page, content_type=b"text/html; charset=utf-8")


def stream(res: Any, req: Any) -> None:
    res.write_header(b"Content-Type", TEXT)
    for number in range(5):
        res.write(f"piece {number} of 5\n")
    res.end_without_body()


async def length(res: Any, req: Any) -> None:
    body = await res.get_data()
    res.cork_send(str(len(body.getvalue())), content_type=TEXT)


def echo(ws: Any, message: Any, opcode: Any) -> None:
    ws.send(message, opcode)


def run(app: App) -> None:
    app.get("/plaintext", plaintext)
    app.get("/plaintext-async", plaintext_async)
    app.get("/sleep", sleep)
    app.get("/future", future)
    app.get("/json", json)
    app.get("/users/:id", user)
    app.get("/template", template)
    app.get("/stream", stream)
    app.post("/length", length)
    app.static("/static", str(HERE / "static"))
    app.ws("/echo", {"message": echo, "idle_timeout": 120})
