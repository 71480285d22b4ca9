"""WebSocket handlers, connections and rooms."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb_ws import ConnectionClosed, Room, WebSocketOptions, WebSocketResponse

app = Slime(__file__)


@app.route(path="/echo", ws=WebSocketOptions(deflate=False, subprotocols=("chat",)))
def echo(req: SlimeRequest, resp: WebSocketResponse) -> None:
    @resp.on_message
    def receive(message: str | bytes) -> None:
        resp.send(message)
        assert_type(resp.close(1000, "done"), bool)

    as_declared: object = receive
    assert_type(resp.id, str)
    assert_type(resp.subprotocol, str | None)
    assert_type(resp.close_code, int | None)
    assert_type(resp.close_reason, str)
    assert_type(resp.buffered, int)
    assert_type(resp.is_closed(), bool)
    assert_type(resp.ping(), bool)
    resp.ping("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    resp.close("done")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    del as_declared


async def talk(resp: WebSocketResponse, room: Room) -> None:
    await resp.send("text")
    await resp.drain()
    assert_type(room.join(resp), bool)
    assert_type(room.name, str)
    assert_type(await room.broadcast("text"), int)
    assert_type(len(room), int)
    room.join("client")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@app.websocket(path="/talk", method="GET", subprotocols=["chat"], ping_interval=None, body_size=1024, blocking=True)
async def listen(req: SlimeRequest, resp: WebSocketResponse) -> None:
    await talk(resp, app.room("all"))


@app.websocket(path="/loop")
async def loop(req: SlimeRequest, resp: WebSocketResponse) -> None:
    await resp.accept()
    async for message in resp:
        assert_type(message, str | bytes)
    try:
        assert_type(await resp.receive(), str | bytes)
    except ConnectionClosed as closed:
        assert_type((closed.code, closed.reason), tuple[int, str])
    resp.accept("text")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


as_coroutine_function: Callable[[SlimeRequest, WebSocketResponse], Coroutine[Any, Any, None]] = listen


@app.websocket(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def wrong_response(req: SlimeRequest, resp: SlimeResponse) -> None: ...


@app.websocket(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def one_argument(resp: WebSocketResponse) -> None: ...


assert_type(app.room("all"), Room)
app.room(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
app.websocket(path="/", ping_intervall=3.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.websocket(path="/", ping_interval="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
app.route(path="/", ws="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
