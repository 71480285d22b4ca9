"""The workloads on slimeweb."""

import asyncio
import os
import sys
from typing import Any

from slimeweb import Slime, SlimeRequest, SlimeResponse

FRUITS = [("Apple", 1), ("Banana", 2), ("Cherry", 3), ("Date", 4), ("Elderberry", 5)]

app = Slime(__file__)


@app.route(path="/plaintext")
def plaintext(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("Hello, World!")


@app.route(path="/plaintext-async")
async def plaintext_async(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("Hello, World!")


@app.route(path="/sleep")
async def sleep(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    await asyncio.sleep(0)
    return resp.plain("Hello, World!")


@app.route(path="/future")
async def future(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    answer = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(set_result(answer))
    text = await answer
    await task
    return resp.plain(text)


async def set_result(answer: asyncio.Future[str]) -> None:
    answer.set_result("Hello, World!")


@app.route(path="/json")
def json(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.json({"message": "Hello, World!", "id": 42, "tags": ["a", "b", "c"], "active": True})


@app.route(path="/users/{id}")
def user(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain(f"{req.params['id']} {req.query['show']} {req.header['x-token']}")


@app.route(path="/length", method="POST")
def length(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain(str(len(req.body)))


@app.route(path="/compute")
def compute(req: SlimeRequest, resp: SlimeResponse) -> str:
    """For `make scaling`."""
    return str(sum(number * number for number in range(4000)))


@app.route(path="/about")
def about(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """What this process runs on, asked once the work is done: an import may have turned the GIL on since the start."""
    return {"python": sys.version, "gil": getattr(sys, "_is_gil_enabled", lambda: True)()}


if "DATABASE" in os.environ:
    from pools import Pools

    pools = Pools(os.environ["DATABASE"], size=32 // int(os.environ["WORKERS"]))

    @app.route(path="/database/{start:int}")
    async def database(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        start, total = req.params["start"], 0
        async with pools.connection() as fetch:
            for step in range(20):
                total += await fetch((start + 37 * step) % 10_000 + 1)
        return resp.plain(str(total))


# Plugins bring the rest. A workload whose plugin is not installed is reported as not answered.

if hasattr(app, "templates"):

    @app.route(path="/template")
    def template(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.html(req.render("page.html", title="Fruit", heading="Fruit & more", fruits=FRUITS))


if hasattr(app, "stream"):

    @app.stream(path="/stream", content="text/plain; charset=utf-8")
    def stream(req: SlimeRequest, resp: Any) -> None:
        resp.start_stream()
        for number in range(5):
            resp.send(f"piece {number} of 5\n")
        resp.close()


if hasattr(app, "websocket"):

    @app.websocket(path="/echo")
    def echo(req: SlimeRequest, resp: Any) -> None:
        resp.on_message(resp.send)


if __name__ == "__main__":
    app.serve(port=int(os.environ["PORT"]), workers=int(os.environ["WORKERS"]))
