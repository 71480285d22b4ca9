"""Kinds of routes: handlers wrapped by a plugin."""

from __future__ import annotations

from typing import Any

import pytest

from slimeweb import BodyWriter, HandlerWrapper, RouteKind, RouteSpec, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, kind, toy


def shouting(route: RouteSpec, handler: Any) -> Any:
    def shout(req: SlimeRequest, resp: SlimeResponse) -> str:
        text: str = handler(req, resp)
        return text.upper()

    async def shout_async(req: SlimeRequest, resp: SlimeResponse) -> str:
        text: str = await handler(req, resp)
        return text.upper()

    return shout_async if route.is_async else shout


def home(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "hello"


async def home_async(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "hello"


@pytest.mark.parametrize("handler", [home, home_async], ids=["sync", "async"])
def test_slime_route_kind_takes_the_handlers_place_where_the_route_asks_for_it(handler: Any) -> None:
    app = app_with(kind("shout", shouting))
    app.route(path="/loud", shout=True)(handler)
    app.route(path="/quiet")(handler)
    with TestClient(app) as client:
        assert client.get("/loud").text == "HELLO"
        assert client.get("/quiet").text == "hello"


def test_slime_route_kind_is_asked_for_each_route_when_the_application_starts() -> None:
    asked: list[str] = []
    app = app_with(
        toy(
            "Curious",
            slime_route_kind=lambda app, route: asked.append(route.path),
            slime_routes=lambda: [RouteSpec.declare("/own", home)],
        )
    )
    app.route(path="/a")(home)
    app.route(path="/b")(home_async)
    assert asked == []
    with TestClient(app):
        assert sorted(asked) == ["/a", "/b", "/own"]


def test_middleware_stays_outside_of_the_kind() -> None:
    class Bouncer(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            return resp.plain("no", status=403) if req.query.get("who") == "mallory" else None

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-Body", (resp.body or b"").decode())

    app = app_with(kind("shout", shouting))
    app.route(path="/", shout=True, plugin=Bouncer())(home)
    with TestClient(app) as client:
        assert client.get("/?who=mallory").status_code == 403
        assert client.get("/").headers["x-body"] == "HELLO"


def start(*plugins: object, handler: Any = home) -> None:
    app = app_with(*plugins)
    app.route(path="/")(handler)
    with TestClient(app):
        pass


def claiming(name: str, kind_name: str, only: str | None = None) -> object:
    def claim(route: RouteSpec) -> RouteKind | None:
        return RouteKind(kind_name, shouting) if only in (None, route.path) else None

    return toy(name, slime_route_kind=claim)


def test_two_plugins_that_claim_one_route_are_both_named() -> None:
    with pytest.raises(
        PluginError, match=r"GET / .*two kinds at once: plugin 'A' \(a\) and plugin 'B' \(b\) both claim"
    ):
        start(claiming("A", "a"), claiming("B", "b"))


def test_two_plugins_whose_kinds_have_one_name_are_both_named() -> None:
    app = app_with(claiming("A", "same", "/a"), claiming("B", "same", "/b"))
    app.route(path="/a")(home)
    app.route(path="/b")(home)
    with pytest.raises(PluginError, match="'B' has a route kind 'same', which plugin 'A' has already"), TestClient(app):
        pass


@pytest.mark.parametrize(
    ("handler", "wrapped", "wanted"),
    [
        (home, home_async, "a plain function"),
        (home_async, home, "a coroutine function"),
        (home, "not callable", "a plain function"),
    ],
)
def test_a_kind_keeps_the_handler_sync_or_async(handler: Any, wrapped: Any, wanted: str) -> None:
    plugin = toy("Painter", slime_route_kind=lambda: RouteKind("paint", lambda route, handler: wrapped))
    with pytest.raises(
        PluginError, match=f"'Painter': its route kind 'paint' made .*: return {wanted}, as the handler"
    ):
        start(plugin, handler=handler)


def test_a_kind_that_refuses_a_route_is_named_with_its_reason() -> None:
    def refuse(route: RouteSpec, handler: Any) -> Any:
        raise ValueError("GET only, please")

    plugin = toy("Picky", slime_route_kind=lambda: RouteKind("picky", refuse))
    with pytest.raises(PluginError, match=r"'Picky': its route kind 'picky' refuses .*GET only, please") as caught:
        start(plugin)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_kind_that_takes_generators_gets_functions_that_return_them_and_the_writer_of_their_stream(
    is_async: bool,
) -> None:
    """Also where another plugin's wrapper is around the generator."""

    def pieces(req: SlimeRequest, resp: SlimeResponse) -> Any:
        yield "one "

    async def apieces(req: SlimeRequest, resp: SlimeResponse) -> Any:
        yield "one "

    def stream(resp: SlimeResponse, generator: Any) -> SlimeResponse:
        def begin(writer: BodyWriter) -> None:
            assert not writer.started
            writer.start()
            assert writer.try_write("zero ")

        return resp.stream(generator, on_begin=begin)

    def wrap(route: RouteSpec, handler: Any) -> Any:
        async def run_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
            return stream(resp, await handler(req, resp))

        return run_async if route.is_async else lambda req, resp: stream(resp, handler(req, resp))

    def around(route: RouteSpec, handler: Any) -> Any:
        async def call_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
            return await handler(req, resp)

        return call_async if route.is_async else lambda req, resp: handler(req, resp)

    app = app_with(
        toy(
            "Pieces",
            slime_route_kind=lambda route: RouteKind("pieces", wrap, takes_generators=True),
            slime_wrap_handler=lambda route: HandlerWrapper("around", around),
        )
    )
    app.route(path="/")(apieces if is_async else pieces)
    with TestClient(app) as client:
        assert client.get("/").text == "zero one "
