"""A plugin that is not slimeweb's own, after `slime types`: its names have their types, as those of slimeweb's own."""

from __future__ import annotations

from typing import assert_type

from slimeweb import Greeting, Salutation, Slime, SlimeRequest, SlimeResponse
from slimeweb_ws import Room, WebSocketResponse

app = Slime(__file__)


@app.greet("/hello", "good morning", blocking=False, ws=None)
def hello(req: SlimeRequest, resp: SlimeResponse) -> str:
    assert_type(req.greeting(), Greeting)
    assert_type(resp.greet(req.greeting()), SlimeResponse)
    resp.greet("hello")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return req.greeting().text


@app.websocket(path="/ws", greeting=Salutation("hello"))
def ws(req: SlimeRequest, resp: WebSocketResponse) -> None:
    assert_type(app.room("all"), Room)


@app.greet("/none")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def none(req: SlimeRequest, resp: SlimeResponse) -> None:
    pass


@app.route(path="/greeted", greeting=Greeting("hello"))
def greeted(greeting: Greeting) -> str:
    return greeting.text


@app.route(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def neither(number: int) -> None: ...


app.route(path="/", greeting=Greeting("hello"))
app.route(path="/", greeting="hello")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
app.route(path="/", greetin=Greeting("hello"))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.stream  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.nonsense  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.serve(default_greeting="hello")
app.serve(default_greeting=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
