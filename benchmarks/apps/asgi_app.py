"""The workloads on ASGI itself, for servers of it. Without templates, static files and databases."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

TEXT = (b"content-type", b"text/plain; charset=utf-8")
JSON = (b"content-type", b"application/json")


async def answer(send: Send, body: bytes, kind: tuple[bytes, bytes] = TEXT, status: int = 200) -> None:
    headers = [kind, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def plaintext(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"Hello, World!")


async def sleep(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0)
    await answer(send, b"Hello, World!")


async def future(scope: Scope, receive: Receive, send: Send) -> None:
    text = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_result(text))
    body = await text
    await task
    await answer(send, body)


async def set_result(text: "asyncio.Future[bytes]") -> None:
    text.set_result(b"Hello, World!")


async def small_json(scope: Scope, receive: Receive, send: Send) -> None:
    document = {"message": "Hello, World!", "id": 42, "tags": ["a", "b", "c"], "active": True}
    await answer(send, json.dumps(document).encode(), JSON)


async def user(scope: Scope, receive: Receive, send: Send) -> None:
    query = parse_qs(scope["query_string"].decode())
    token = dict(scope["headers"])[b"x-token"].decode()
    await answer(send, f"{scope['path'][7:]} {query['show'][0]} {token}".encode())


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
    for number in range(5):
        await send({"type": "http.response.body", "body": b"piece %d of 5\n" % number, "more_body": True})
    await send({"type": "http.response.body"})


async def length(scope: Scope, receive: Receive, send: Send) -> None:
    count, more = 0, True
    while more:
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, b"%d" % count)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


ROUTES = {
    ("GET", "/plaintext"): plaintext,
    ("GET", "/plaintext-async"): plaintext,
    ("GET", "/sleep"): sleep,
    ("GET", "/future"): future,
    ("GET", "/json"): small_json,
    ("GET", "/stream"): stream,
    ("POST", "/length"): length,
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        if handler := ROUTES.get((scope["method"], scope["path"])):
            await handler(scope, receive, send)
        elif scope["path"].startswith("/users/"):
            await user(scope, receive, send)
        else:
            await answer(send, b"Not Found", status=404)
    elif scope["type"] == "websocket":
        await echo(scope, receive, send)
    else:
        await lifespan(receive, send)


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
