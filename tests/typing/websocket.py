"""WebSocket handlers, connections and rooms."""

from __future__ import annotations

from typing import Any, assert_type

from slimeweb import Slime, SlimeRequest
from slimeweb_ws import Room, WebSocketOptions, WebSocketResponse

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


# What a plugin adds to the application is `Any` for a checker.
assert_type(app.websocket, Any)
assert_type(app.room, Any)
