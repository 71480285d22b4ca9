"""The workloads on RSGI, granian's own interface. Static files are granian's, see `--static-path-mount`."""

import asyncio
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

FRUITS = [("Apple", 1), ("Banana", 2), ("Cherry", 3), ("Date", 4), ("Elderberry", 5)]
TEXT = [("content-type", "text/plain; charset=utf-8")]
HTML = [("content-type", "text/html; charset=utf-8")]
JSON = [("content-type", "application/json")]

templates = Environment(loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True)


async def plaintext(scope: Any, protocol: Any) -> None:
    protocol.response_str(200, TEXT, "Hello, World!")


async def sleep(scope: Any, protocol: Any) -> None:
    await asyncio.sleep(0)
    protocol.response_str(200, TEXT, "Hello, World!")


async def future(scope: Any, protocol: Any) -> None:
    answer = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_result(answer))
    text = await answer
    await task
    protocol.response_str(200, TEXT, text)


async def set_result(answer: "asyncio.Future[str]") -> None:
    answer.set_result("Hello, World!")


async def small_json(scope: Any, protocol: Any) -> None:
    document = {"message": "Hello, World!", "id": 42, "tags": ["a", "b", "c"], "active": True}
    protocol.response_str(200, JSON, json.dumps(document))


async def user(scope: Any, protocol: Any) -> None:
    query = dict(pair.split("=", 1) for pair in scope.query_string.split("&"))
    text = f"{scope.path[7:]} {query['show']} {scope.headers.get('x-token')}"
    protocol.response_str(200, TEXT, text)


async def template(scope: Any, protocol: Any) -> None:
    page = templates.get_template("page.html").render(title="Fruit", heading="Fruit & more", fruits=FRUITS)
    protocol.response_str(200, HTML, page)


async def stream(scope: Any, protocol: Any) -> None:
    transport = protocol.response_stream(200, TEXT)
    for number in range(5):
        await transport.send_str(f"piece {number} of 5\n")


async def length(scope: Any, protocol: Any) -> None:
    body = await protocol()
    protocol.response_str(200, TEXT, str(len(body)))


async def echo(protocol: Any) -> None:
    transport = await protocol.accept()
    while (message := await transport.receive()).kind != 0:
        await transport.send_str(message.data)
    protocol.close()


ROUTES = {
    ("GET", "/plaintext"): plaintext,
    ("GET", "/plaintext-async"): plaintext,
    ("GET", "/sleep"): sleep,
    ("GET", "/future"): future,
    ("GET", "/json"): small_json,
    ("GET", "/template"): template,
    ("GET", "/stream"): stream,
    ("POST", "/length"): length,
}


async def app(scope: Any, protocol: Any) -> None:
    if scope.proto == "ws":
        await echo(protocol)
    elif handler := ROUTES.get((scope.method, scope.path)):
        await handler(scope, protocol)
    elif scope.path.startswith("/users/"):
        await user(scope, protocol)
    else:
        protocol.response_str(404, TEXT, "Not Found")
