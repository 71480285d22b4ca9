"""Streams of any size, and handlers that tell how they ended. The tests run it in a process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from slimeweb import Slime, SlimeRequest
from slimeweb_stream import AsyncStreamResponse, StreamResponse

BLOCK = bytes(range(256)) * 256
LIMIT = 4 * 1024**3

app = Slime(__file__)


def blocks(size: int) -> Iterator[bytes]:
    """`size` bytes of one pattern."""
    for start in range(0, size, len(BLOCK)):
        yield BLOCK[: size - start]


@contextmanager
def told(name: str) -> Iterator[None]:
    """Prints that a handler runs, and what ended it."""
    print(f"{name}: running", flush=True)
    try:
        yield
    except BaseException as error:
        print(f"{name}: ended by {type(error).__name__}", flush=True)
        raise
    print(f"{name}: returned", flush=True)


# Big bodies


@app.stream(path="/flood/sync/{size:int}", content="application/octet-stream")
def flood(req: SlimeRequest, resp: StreamResponse) -> None:
    resp.start_stream()
    for block in blocks(req.params["size"]):
        resp.send(block)


@app.stream(path="/flood/async/{size:int}", content="application/octet-stream")
async def flood_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    resp.start_stream()
    for block in blocks(req.params["size"]):
        await resp.send(block)


@app.stream(path="/echo/sync", method="POST", content="application/octet-stream", stream_body=True, body_size=LIMIT)
def echo(req: SlimeRequest, resp: StreamResponse) -> None:
    resp.start_stream()
    for chunk in req.chunks():
        resp.send(chunk)


@app.stream(path="/echo/async", method="POST", content="application/octet-stream", stream_body=True, body_size=LIMIT)
async def echo_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    resp.start_stream()
    async for chunk in req.chunks():
        await resp.send(chunk)


# Handlers that a client leaves in the middle of something


@app.stream(path="/ticking/sync")
def ticking(req: SlimeRequest, resp: StreamResponse) -> None:
    with told(req.path):
        resp.start_stream()
        while True:
            resp.send("tick\n")
            time.sleep(0.02)


@app.stream(path="/ticking/async")
async def ticking_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    with told(req.path):
        resp.start_stream()
        while True:
            await resp.send("tick\n")
            await asyncio.sleep(0.02)


@app.stream(path="/flooding/sync")
def flooding(req: SlimeRequest, resp: StreamResponse) -> None:
    with told(req.path):
        resp.start_stream()
        while True:
            resp.send(BLOCK)


@app.stream(path="/flooding/async")
async def flooding_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    with told(req.path):
        resp.start_stream()
        while True:
            await resp.send(BLOCK)


@app.stream(path="/idle/async")
async def idle_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    with told(req.path):
        resp.start_stream()
        await asyncio.sleep(3600)


@app.stream(path="/reading/sync", method="POST", stream_body=True, body_size=LIMIT)
def reading(req: SlimeRequest, resp: StreamResponse) -> None:
    with told(req.path):
        resp.start_stream()
        for chunk in req.chunks():
            resp.send(chunk)


@app.stream(path="/reading/async", method="POST", stream_body=True, body_size=LIMIT)
async def reading_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    with told(req.path):
        resp.start_stream()
        async for chunk in req.chunks():
            await resp.send(chunk)


@app.stream(path="/late/sync")
def late(req: SlimeRequest, resp: StreamResponse) -> None:
    with told(req.path):
        time.sleep(0.3)
        resp.start_stream()
        while True:
            resp.send(BLOCK)


@app.stream(path="/late/async")
async def late_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    with told(req.path):
        await asyncio.sleep(0.3)
        resp.start_stream()
        while True:
            await resp.send(BLOCK)


@app.route(path="/ping")
def ping(req: SlimeRequest, resp: object) -> str:
    return "pong"


if __name__ == "__main__":
    app.serve()
