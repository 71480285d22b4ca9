"""Routes of plugins, middleware of plugins, and plugins that watch routes."""

from __future__ import annotations

from typing import Any

import pytest

from slimeweb import RouteOption, RouteSpec, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import MultipleRouteException, PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, toy


def handler(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("ok")


async def handler_async(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("ok")


def test_slime_route_added_sees_each_declared_route_in_order() -> None:
    seen: list[tuple[str, tuple[str, ...], str, bool]] = []

    def added(route: RouteSpec) -> None:
        seen.append((route.path, route.methods, route.name, route.is_async))

    app = app_with(toy("Watcher", slime_route_added=added))
    app.route(path="/a/{id:int}", method=["get", "POST"])(handler)
    app.route(path="/b", method="*")(handler_async)
    assert seen == [("/a/{id:int}", ("GET", "POST"), "handler", False), ("/b", ("*",), "handler_async", True)]


def test_slime_route_added_can_refuse_a_route() -> None:
    def refuse(route: RouteSpec) -> None:
        raise ValueError("not on my watch")

    app = app_with(toy("Watcher", slime_route_added=refuse))
    with pytest.raises(
        PluginError, match="'Watcher' failed in slime_route_added: ValueError: not on my watch"
    ) as caught:
        app.route(path="/a")(handler)
    assert isinstance(caught.value.__cause__, ValueError)


def test_slime_routes_are_served_beside_the_applications_own() -> None:
    def routes(app: Any) -> list[RouteSpec]:
        return [
            RouteSpec.declare("/health", handler),
            RouteSpec.declare("/mode/{name}", lambda req, resp: resp.plain(f"{req.params['name']} {app.dev}"), "POST"),
        ]

    app = app_with(toy("Health", slime_routes=routes))
    app.route(path="/")(handler)
    with TestClient(app, dev=True) as client:
        assert client.get("/health").text == "ok"
        assert client.get("/").text == "ok"
        assert client.post("/mode/x").text == "x True"
        assert client.get("/mode/x").status_code == 405
    assert [route.path for route in app.routes] == ["/"]


def test_slime_routes_in_the_way_of_another_route_are_refused() -> None:
    app = app_with(toy("Health", slime_routes=lambda: [RouteSpec.declare("/health", handler)]))
    app.route(path="/health")(handler_async)
    with (
        pytest.raises(MultipleRouteException, match=r"GET /health has two handlers: .*handler_async.* and .*handler"),
        TestClient(app),
    ):
        pass


def positive(value: object) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"size={value!r} has to be 1 or more")
    return value * 10


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"options": {"sise": 1}}, r"route\(\) has no option 'sise': did you mean 'size'"),
        ({"options": {"size": 0}}, r"size=0 has to be 1 or more"),
        ({"handler": lambda: None}, r"needs a function of two arguments"),
        ({"middleware": [object()]}, r"is not middleware"),
    ],
)
def test_a_plugins_own_route_is_checked_as_the_users_are(wrong: dict[str, Any], reason: str) -> None:
    def routes() -> list[RouteSpec]:
        return [RouteSpec.declare(**{"path": "/health", "handler": handler, **wrong})]

    app = app_with(toy("Health", slime_route_options=lambda: [RouteOption("size", 1, positive)], slime_routes=routes))
    with (
        pytest.raises(PluginError, match=f"plugin 'Health': its route GET /health .* will not do: .*{reason}"),
        TestClient(app),
    ):
        pass


def test_a_plugins_own_route_has_its_options_as_they_were_validated() -> None:
    seen: list[Any] = []
    app = app_with(
        toy(
            "Health",
            slime_route_options=lambda: [RouteOption("size", 1, positive)],
            slime_routes=lambda: [
                RouteSpec.declare("/one", handler),
                RouteSpec.declare("/two", handler, options={"size": 2}),
            ],
            slime_middleware=lambda route: seen.append(route.options["size"]),
        )
    )
    with TestClient(app):
        assert seen == [1, 20]


def test_routes_of_plugins_are_listed_after_the_applications_own_while_it_is_served() -> None:
    app = app_with(toy("Health", slime_routes=lambda: [RouteSpec.declare("/health", handler)]))
    app.route(path="/")(handler)
    for _ in range(2):
        assert [route.path for route in app.routes] == ["/"]
        with TestClient(app):
            assert [route.path for route in app.routes] == ["/", "/health"]
    assert [route.path for route in app.routes] == ["/"]


class Trace(SlimeMiddleware):
    """Notes its name in a header on both ways."""

    def __init__(self, name: str) -> None:
        self.name = name

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Trace", f"{self.name} in")

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Trace", f"{self.name} out")


class TraceAsync(SlimeMiddleware):
    async def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Trace", "async in")


@pytest.mark.parametrize("endpoint", [handler, handler_async], ids=["sync", "async"])
def test_slime_middleware_is_inside_of_the_applications_and_outside_of_the_routes(endpoint: Any) -> None:
    app = app_with(
        toy("First", slime_middleware=lambda route: [Trace("first")]),
        toy("Second", slime_middleware=lambda route: [Trace("second")] if route.path == "/both" else []),
    )
    app.route(path="/both", plugin=Trace("route"))(endpoint)
    app.route(path="/one")(endpoint)
    app.use(Trace("app"))
    with TestClient(app) as client:
        names = ["app", "first", "second", "route"]
        ways = [*(f"{name} in" for name in names), *(f"{name} out" for name in reversed(names))]
        assert client.get("/both").header_all("x-trace") == ways
        assert client.get("/one").header_all("x-trace") == ["app in", "first in", "first out", "app out"]


def test_slime_middleware_that_is_async_serves_async_routes_only() -> None:
    plugin = toy("Tracer", slime_middleware=lambda route: [TraceAsync()])
    app = app_with(plugin)
    app.route(path="/")(handler_async)
    with TestClient(app) as client:
        assert client.get("/").headers["x-trace"] == "async in"
    app = app_with(plugin)
    app.route(path="/")(handler)
    with (
        pytest.raises(PluginError, match=r"'Tracer': slime_middleware does not fit: TraceAsync.middle_before is async"),
        TestClient(app),
    ):
        pass


class Halves(SlimeMiddleware):
    """Has a plain and an asynchronous half."""

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Half", "plain")

    async def middle_before_async(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Half", "async")


@pytest.mark.parametrize("hook", ["slime_middleware", "slime_app_middleware"])
def test_middleware_of_plugins_with_both_halves_serves_every_route(hook: str) -> None:
    app = app_with(toy("Halves", **{hook: lambda: [Halves()]}))
    app.route(path="/sync")(handler)
    app.route(path="/async")(handler_async)
    with TestClient(app) as client:
        assert client.get("/sync").headers["x-half"] == "plain"
        assert client.get("/async").headers["x-half"] == "async"


@pytest.mark.parametrize("hook", ["slime_middleware", "slime_app_middleware"])
@pytest.mark.parametrize("endpoint", [handler, handler_async], ids=["sync", "async"])
def test_middleware_of_a_plugin_that_returns_no_answer_is_named_with_the_plugin(
    hook: str, endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> object:
            return object()

    app = app_with(toy("Breaking", **{hook: lambda: [Wrong()]}))
    app.route(path="/")(endpoint)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    (error,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert str(error).startswith("plugin 'Breaking': ")
    assert "Wrong.middle_before (" in str(error)


@pytest.mark.parametrize("endpoint", [handler, handler_async], ids=["sync", "async"])
def test_slime_app_middleware_is_outside_of_everything(endpoint: Any) -> None:
    app = app_with(
        toy("Inner", slime_middleware=lambda route: [Trace("inner")]),
        toy("Outer", slime_app_middleware=lambda: [Trace("outer"), Trace("next")]),
    )
    app.route(path="/")(endpoint)
    app.use(Trace("app"))
    app.route(path="/refused", plugin=Refusal())(endpoint)
    with TestClient(app) as client:
        names = ["outer", "next", "app", "inner"]
        ways = [*(f"{name} in" for name in names), *(f"{name} out" for name in reversed(names))]
        assert client.get("/").header_all("x-trace") == ways
        # Where another middleware answers, and where no route does.
        assert client.get("/refused").header_all("x-trace") == ways
        names.remove("inner")
        ways = [*(f"{name} in" for name in names), *(f"{name} out" for name in reversed(names))]
        assert client.options("/").header_all("x-trace") == ways
        assert client.get("/nowhere").header_all("x-trace") == ways


class Refusal(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("no", status=403)


def test_slime_app_middleware_alone_sees_what_no_route_answers() -> None:
    """Nothing else would have that answer go through Python."""
    app = app_with(toy("Outer", slime_app_middleware=lambda: [Trace("outer")]))
    with TestClient(app) as client:
        response = client.get("/nowhere")
        assert (response.status_code, response.header_all("x-trace")) == (404, ["outer in", "outer out"])


def test_slime_app_middleware_runs_once_for_each_start() -> None:
    calls: list[Slime] = []
    app = app_with(toy("Outer", slime_app_middleware=lambda app: calls.append(app)))
    app.route(path="/")(handler)
    app.route(path="/async")(handler_async)
    for count in (1, 2):
        with TestClient(app):
            assert calls == [app] * count


def test_slime_app_middleware_that_is_async_serves_async_routes_only() -> None:
    plugin = toy("Tracer", slime_app_middleware=lambda: [TraceAsync()])
    app = app_with(plugin)
    app.route(path="/")(handler_async)
    with TestClient(app) as client:
        assert client.get("/").headers["x-trace"] == "async in"
        assert client.get("/nowhere").headers["x-trace"] == "async in"
    app = app_with(plugin)
    app.route(path="/")(handler)
    with (
        pytest.raises(PluginError, match=r"'Tracer': slime_app_middleware does not fit: TraceAsync.middle_before is"),
        TestClient(app),
    ):
        pass
