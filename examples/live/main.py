"""Live: a dashboard that moves by itself, and a chat beside it. `slime run main`, then open http://127.0.0.1:3000/."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, dataclass

from feed import Feed

from slimeweb import Event, Slime, SlimeRequest, SlimeResponse
from slimeweb_ws import WebSocketResponse

app = Slime(__file__)

INTERVAL = float(os.environ.get("LIVE_INTERVAL", "1"))
"""Seconds between two readings."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the dashboard shows."""

    time: float
    load: float
    visitors: int
    messages: int


readings: Feed[Reading] = Feed()
app.state["messages"] = 0
chat = app.room("chat")


@app.every(INTERVAL)
def measure() -> None:
    """Takes a reading, on one worker, for the pages of all."""
    readings.publish(Reading(time.time(), os.getloadavg()[0], len(chat), app.state["messages"]))


@app.route(path="/")
def page(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.file(app.root / "page.html")


@app.stream(path="/readings", content="text/event-stream")
async def dashboard(req: SlimeRequest, resp: SlimeResponse) -> AsyncIterator[Event]:
    """Each reading as an event."""
    async with aclosing(readings.follow()) as followed:
        async for reading in followed:
            yield Event(asdict(reading), event="reading")


@app.websocket(path="/chat", body_size=16 * 1024)
async def talk(req: SlimeRequest, resp: WebSocketResponse) -> None:
    """What one says, everybody reads."""
    # Whatever a browser sends is text to show, never trusted to be short.
    name = req.query.get("name", "").strip()[:20] or f"guest {resp.id[:4]}"
    await resp.accept()
    chat.join(resp)
    await chat.broadcast({"kind": "arrived", "name": name})
    try:
        async for message in resp:
            if isinstance(message, str) and message.strip():
                app.state.incr("messages")
                await chat.broadcast({"kind": "said", "name": name, "text": message})
    finally:
        # By now the connection has left the room by itself.
        await chat.broadcast({"kind": "left", "name": name})


if __name__ == "__main__":
    app.serve()
