"""Routers, and the URLs of their routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

from slimeweb import Router, Slime, SlimeCompression, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.router import Declarations
from slimeweb.routing import RouteSpec
from slimeweb_stream import StreamResponse
from slimeweb_ws import WebSocketResponse


class Guard(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None: ...


users = Router("/users", name="users", plugin=[Guard()], body_size=4096, compression=SlimeCompression.NoCompression)
Router(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Router("/users", body_sise=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Router("/users", plugin=Guard)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@users.get("/{id:int}", name="show", body_size=0)
def show(req: SlimeRequest, resp: SlimeResponse) -> str:
    assert_type(req.url_for(".show", id=1, query={"page": 2}, absolute=True), str)
    assert_type(req.url, str)
    assert_type(req.host, str)
    return req.url_for(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# A decorated handler keeps its type.
as_function: Callable[[SlimeRequest, SlimeResponse], str] = show

users.post("", stream_body=True)(show)
users.put("/x")(show)
users.patch("/x")(show)
users.delete("/x", nmae="x")(show)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
users.pots("/x")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
users.use(Guard(), path="/x")
users.use(Guard)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@users.middle_before()
def before(req: SlimeRequest, resp: SlimeResponse) -> None: ...


@users.error(KeyError)
def unknown(req: SlimeRequest, resp: SlimeResponse, exc: KeyError) -> str:
    return "unknown"


@users.start()
async def start() -> None: ...


@users.stream("/lines", content="text/plain")
def lines(req: SlimeRequest, resp: StreamResponse) -> None: ...


@users.websocket("/chat", ping_interval=5)
def chat(req: SlimeRequest, resp: WebSocketResponse) -> None: ...


@users.docs(title="A title", tags=["a"])
@users.get("/documented")
def documented(req: SlimeRequest, resp: SlimeResponse) -> None: ...


# What keeps something for the application is not a router's.
users.room("hall")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

app = Slime(__file__)
app.get("/x", name="x")(show)
app.include(users)
app.include(users, prefix="/v2/users", name="v2", body_size=10, plugin=Guard())
app.include("users")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Router().include(users, prefix="/a")

assert_type(app.url_for("users.show", id=1), str)
assert_type(app.root_path, str)
for route in app.routes:
    assert_type(route, RouteSpec)
    assert_type(route.full_name, str)


def declare(on: Declarations) -> None:
    on.get("/y")(show)
    on.stream("/z")(lines)


declare(app)
declare(users)
anything: Any = users
