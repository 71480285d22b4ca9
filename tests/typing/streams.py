"""Streaming responses and server-sent events."""

from __future__ import annotations

from typing import Any, assert_type

from slimeweb import Slime, SlimeRequest
from slimeweb_stream import AsyncStreamResponse, StreamResponse

app = Slime(__file__)


@app.route(path="/numbers", stream="text/plain")
def numbers(req: SlimeRequest, resp: StreamResponse) -> None:
    resp.start_stream()
    for number in range(3):
        resp.send(f"{number}\n")
    assert_type(resp.is_closed(), bool)
    assert_type(resp.is_stopping(), bool)
    assert_type(resp.last_event_id, str | None)
    resp.close()


@app.route(path="/events", stream="text/event-stream")
async def events(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    resp.set_header("cache-control", "no-store")
    await resp.send_event({"visits": 1}, event="visit", id="1", retry=1000)
    await resp.send_comment()
    resp.send_event("x", retry="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await resp.flush()
    await resp.close()


# What a plugin adds to the application is `Any` for a checker.
assert_type(app.stream, Any)
