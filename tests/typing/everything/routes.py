"""The application: routes, middleware, start and end functions, what it tells of itself, and the shared state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

from slimeweb import RouteOption, RouteSpec, ServeOption, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, State
from slimeweb.plugin import Cors, ReqLog


class Timing(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        req.started = 0.0

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_header("x-time", str(req.started))


class AsyncTiming(SlimeMiddleware):
    async def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        req.started = 0.0


app = Slime(Path(__file__))

assert_type(app.name, str)
assert_type(app.file, Path)
assert_type(app.root, Path)
assert_type(app.state, State)
assert_type(app.dev, bool)
assert_type(app.routes, tuple[RouteSpec, ...])
assert_type(app.serve_options, Mapping[str, Any])

Slime(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@app.route(path="/users/{id:int}", method="GET", plugin=[Timing(), Cors()], blocking=False)
def user(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.json(req.params)


app.route(path=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
app.route(path="/", body_size="1 MB")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
app.route(path="/", compresion=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.route(path="/", plugin=Timing)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

app.use(Timing())
app.use(ReqLog(), method="*", path="*")
app.use("timing")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Around(SlimeMiddleware):
    def middle_around(self, req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
        yield

    async def middle_around_async(self, req: SlimeRequest, resp: SlimeResponse) -> AsyncIterator[None]:
        yield


@app.middle_around(path="/users/{id:int}")
def around(req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
    yield


@app.middle_before(path="/users/{id:int}")
def check(req: SlimeRequest, resp: SlimeResponse) -> None:
    if "authorization" not in req.header:
        resp.plain("no", status=401)


@app.start()
async def start() -> None:
    app.state["visits"] = 0


@app.end()
def end(error: BaseException | None) -> None:
    assert_type(app.state.get("visits"), Any)
    assert_type(app.state.snapshot(), dict[str, Any])
    assert_type(len(app.state), int)


assert_type(RouteOption("cache", default=0, validate=int).name, str)
assert_type(ServeOption("greeting").variable, str)
app.nonsense  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.serve(prot=3000)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.serve(port="3000")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
