"""Streaming responses and server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, assert_type

from slimeweb import Event, Slime, SlimeRequest
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


@app.stream(path="/lines", method=["GET", "POST"], content="text/plain", body_size=1024)
def lines(req: SlimeRequest, resp: StreamResponse) -> None:
    resp.send("a line\n")


@app.stream(path="/news", content="text/event-stream")
async def news(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    await resp.send_event("news")


@app.stream(path="/generator")
def generator(req: SlimeRequest, resp: StreamResponse) -> Iterator[str | Event]:
    yield "a line\n"
    yield Event({"visits": 1}, event="visit", id="1", retry=1000)
    yield Event("x", retry="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@app.stream(path="/agenerator", content="text/event-stream")
async def asynchronous_generator(req: SlimeRequest, resp: AsyncStreamResponse) -> AsyncIterator[Event]:
    assert_type(resp.keep_alive, float)
    yield Event("news")


@app.stream(path="/returned")
async def returned(req: SlimeRequest, resp: AsyncStreamResponse) -> AsyncIterator[Event]:
    return asynchronous_generator(req, resp)


@app.stream(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def generator_of_plain(req: SlimeRequest, resp: StreamResponse) -> AsyncIterator[str]:
    yield ""


as_function: Callable[[SlimeRequest, StreamResponse], None] = lines
as_coroutine_function: Callable[[SlimeRequest, AsyncStreamResponse], Coroutine[Any, Any, None]] = news


@app.stream(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportCallIssue, reportArgumentType]
def plain_of_async(req: SlimeRequest, resp: AsyncStreamResponse) -> None: ...


@app.stream(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def async_of_plain(req: SlimeRequest, resp: StreamResponse) -> None: ...


app.stream(path="/", contents="text/plain")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.route(path="/", stream=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
