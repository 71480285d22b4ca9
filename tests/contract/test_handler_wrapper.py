"""Wrappers that plugins put around handlers: inside of the route's kind, stacked in the order of the plugins."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import HandlerWrapper, RouteSpec, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import InvalidHandler, PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, kind, toy, written
from support.versions import VERSIONS, served

BOTH_VERSIONS = pytest.mark.parametrize("version", VERSIONS)


def home(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "home"


async def home_async(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "home"


BOTH = pytest.mark.parametrize("handler", [home, home_async], ids=["plain", "coroutine"])


def around(name: str, make: Callable[..., Any] | None = None, **claim: bool) -> object:
    """A plugin that puts its name around what every handler returns, or what `make` gives around the handler."""

    def marked(route: RouteSpec, handler: Any) -> Any:
        def run(req: SlimeRequest, resp: SlimeResponse) -> str:
            return f"{name}({handler(req, resp)})"

        async def run_async(req: SlimeRequest, resp: SlimeResponse) -> str:
            return f"{name}({await handler(req, resp)})"

        return run_async if route.is_async else run

    wrapper = HandlerWrapper(name, make or marked, **claim)
    return toy(name.capitalize(), slime_wrap_handler=lambda: wrapper)


def injected(route: RouteSpec, handler: Any) -> Any:
    """Calls the handler with the path's parameters by name, and the response's object where it asks for one."""

    def arguments(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        offered = {"resp": resp, **req.params}
        return {name: offered[name] for name in route.signature.parameters}

    def run(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return handler(**arguments(req, resp))

    async def run_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return await handler(**arguments(req, resp))

    return run_async if route.is_async else run


def injecting(**hooks: Callable[..., Any]) -> object:
    """A plugin that calls handlers by the names of their parameters."""

    def claim(route: RouteSpec) -> HandlerWrapper | None:
        names = set(route.signature.parameters)
        known = {"resp", *(param.name for param in route.params)}
        return HandlerWrapper("inject", injected, claims_signature=True) if names <= known else None

    return toy("Injecting", slime_wrap_handler=claim, **hooks)


@BOTH
def test_slime_wrap_handler_wrappers_stack_in_the_order_of_the_plugins_the_first_outermost(handler: Any) -> None:
    app = app_with(around("one"), around("two"))
    app.route(path="/")(handler)
    with TestClient(app) as client:
        assert client.get("/").text == "one(two(home))"


@BOTH_VERSIONS
@BOTH
def test_wrappers_are_inside_of_the_kind_and_of_middleware(handler: Any, version: str, tmp_path: Path) -> None:
    class Refusal(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> str | None:
            return "refused" if req.query.get("refused") else None

    def shouting(route: RouteSpec, handler: Any) -> Any:
        def run(req: SlimeRequest, resp: SlimeResponse) -> Any:
            return handler(req, resp).upper()

        async def run_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
            return (await handler(req, resp)).upper()

        return run_async if route.is_async else run

    app = app_with(around("one"), kind("shout", shouting))
    app.route(path="/", shout=True, plugin=Refusal())(handler)
    with served(app, version, tmp_path) as ask:
        assert ask("GET", "/").text == "ONE(HOME)"
        assert ask("GET", "/?refused=1").text == "refused"


def sync_numbers(resp: Any, count: str) -> None:
    resp.start()
    for number in range(int(count)):
        resp.write(f"{number}\n")


async def async_numbers(resp: Any, count: str) -> None:
    resp.start()
    for number in range(int(count)):
        assert resp.try_write(f"{number}\n")


@BOTH_VERSIONS
@pytest.mark.parametrize("handler", [sync_numbers, async_numbers], ids=["plain", "coroutine"])
def test_an_injecting_wrapper_and_a_kind_that_streams_share_a_route(handler: Any, version: str, tmp_path: Path) -> None:
    app = app_with(injecting(), kind("written", written))
    app.route(path="/{count}", written=True)(handler)
    with served(app, version, tmp_path) as ask:
        answer = ask("GET", "/3")
        assert (answer.text, answer.header("x-kind")) == ("0\n1\n2\n", "written")


def user(id: str) -> dict[str, str]:
    return {"id": id}


async def user_async(id: str) -> dict[str, str]:
    return {"id": id}


@pytest.mark.parametrize("handler", [user, user_async], ids=["plain", "coroutine"])
def test_a_handler_of_another_signature_is_taken_where_a_wrapper_claims_it(handler: Any) -> None:
    app = app_with(injecting())
    app.route(path="/users/{id}")(handler)
    with pytest.raises(InvalidHandler, match=r"the route /other needs a function of two arguments.* takes \(id: "):
        app.route(path="/other")(handler)
    assert [route.path for route in app.routes] == ["/users/{id}"]
    with TestClient(app) as client:
        assert client.get("/users/7").json() == {"id": "7"}


def test_a_plugins_own_route_may_have_a_claimed_handler_too() -> None:
    app = app_with(injecting(slime_routes=lambda: [RouteSpec.declare("/users/{id}", user)]))
    with TestClient(app) as client:
        assert client.get("/users/7").json() == {"id": "7"}


def test_wrappers_are_asked_at_the_declaration_only_for_a_handler_that_does_not_take_req_and_resp() -> None:
    asked: list[str] = []

    def wrap(route: RouteSpec) -> HandlerWrapper:
        asked.append(route.path)
        return HandlerWrapper("inject", injected, claims_signature=True)

    app = app_with(toy("Asked", slime_wrap_handler=wrap))
    app.route(path="/home/{name}")(home)
    assert asked == []
    app.route(path="/{id}")(user)
    assert asked == ["/{id}"]


def test_the_wrapper_that_claims_the_signature_is_the_innermost() -> None:
    app = app_with(injecting(), around("marked"))
    app.route(path="/{id}")(lambda id: id)
    with TestClient(app) as client:
        assert client.get("/7").text == "marked(7)"


def test_a_wrapper_that_gives_way_leaves_the_handler_to_another_that_claims_it() -> None:
    def never(route: RouteSpec, handler: Any) -> Any:
        raise AssertionError("it has given way")

    app = app_with(around("polite", never, claims_signature=True, gives_way=True), injecting())
    app.route(path="/{id}")(lambda id: id)
    with TestClient(app) as client:
        assert client.get("/7").text == "7"


def test_the_check_of_the_wrapper_that_claims_refuses_a_handler_where_it_is_declared() -> None:
    class Unfit(PluginError):
        pass

    def refuse(route: RouteSpec) -> None:
        raise Unfit(f"{route.path} will not do")

    wrapper = HandlerWrapper("checked", injected, claims_signature=True, check_route=refuse)
    app = app_with(toy("Checked", slime_wrap_handler=lambda: wrapper))
    app.route(path="/usual")(home)
    with pytest.raises(Unfit, match="/typed will not do") as caught:
        app.route(path="/typed")(lambda: "never called")
    assert caught.value.plugin == "Checked"


def test_a_plugins_own_kind_of_error_from_wrap_reaches_who_has_started() -> None:
    class Unfit(PluginError):
        pass

    def refuse(route: RouteSpec, handler: Any) -> Any:
        raise Unfit("it will not do")

    app = app_with(around("strict", refuse))
    app.route(path="/")(home)
    with pytest.raises(Unfit, match=r"^it will not do$"), TestClient(app):
        pass


def test_two_wrappers_that_claim_one_signature_are_named() -> None:
    app = app_with(injecting(), around("other", injected, claims_signature=True))
    with pytest.raises(PluginError, match=r"'Injecting' \(inject\) and plugin 'Other' \(other\) both claim its sig"):
        app.route(path="/{id}")(user)


def test_a_claimed_handler_may_be_a_generator() -> None:
    def joined(route: RouteSpec, handler: Any) -> Any:
        def run(req: SlimeRequest, resp: SlimeResponse) -> str:
            return "".join(handler(req, resp))

        async def run_async(req: SlimeRequest, resp: SlimeResponse) -> str:
            return "".join([piece async for piece in handler(req, resp)])

        return run_async if route.is_async else run

    app = app_with(around("joined", joined, claims_signature=True))

    @app.route(path="/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Iterator[str]:
        yield from "abc"

    @app.route(path="/async")
    async def later(req: SlimeRequest, resp: SlimeResponse) -> Any:
        yield "abc"

    assert [route.is_async for route in app.routes] == [False, True]
    with TestClient(app) as client:
        assert client.get("/plain").text == client.get("/async").text == "abc"


def with_user(function: Any) -> Any:
    """A decorator that gives a handler one argument more."""

    @functools.wraps(function)
    def run(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return function(req, resp, "Ada")

    return run


def without_response(function: Any) -> Any:
    """A decorator that makes a handler of a function of its own signature."""

    @functools.wraps(function)
    def run(id: str) -> Any:
        return function(None, None, id)

    return run


def test_a_handler_wrapped_by_functools_is_judged_by_its_own_signature() -> None:
    app = app_with(injecting())

    @app.route(path="/user")
    @with_user
    def with_three(req: SlimeRequest, resp: SlimeResponse, name: str) -> str:
        return name

    @app.route(path="/{id}")
    @without_response
    def with_others(req: Any, resp: Any, name: str) -> str:
        return name

    (first, second) = app.routes
    assert list(first.signature.parameters) == ["req", "resp"]
    assert list(second.signature.parameters) == ["id"]
    assert list(inspect.signature(second.handler).parameters) == ["req", "resp", "name"]
    with TestClient(app) as client:
        assert client.get("/user").text == "Ada"
        assert client.get("/7").text == "7"


def test_without_a_claim_the_own_signature_of_a_wrapped_function_is_refused() -> None:
    app = Slime(__file__)
    with pytest.raises(InvalidHandler, match=r"takes \(id\)"):
        app.route(path="/{id}")(without_response(home))


@pytest.mark.parametrize(
    ("handler", "made", "reason"),
    [
        (home, 7, "made 7 of .*home .*: return a plain function"),
        (home, home_async, "made .*home_async.* return a plain function"),
        (home_async, home, "made .*home.* return a coroutine function"),
        (home, user, r"what the handler wrapper 'wrong' makes of .*home .* needs a function of two arguments"),
    ],
)
def test_what_a_wrapper_makes_is_checked_at_the_start(handler: Any, made: Any, reason: str) -> None:
    app = app_with(around("wrong", lambda route, handler: made))
    app.route(path="/")(handler)
    with pytest.raises(PluginError, match=f"plugin 'Wrong': .*{reason}"), TestClient(app):
        pass


def test_a_wrapper_that_refuses_a_route_is_named_with_its_reason() -> None:
    def refuse(route: RouteSpec, handler: Any) -> Any:
        raise TypeError("nobody knows what a Flower is")

    app = app_with(around("picky", refuse))
    app.route(path="/")(home)
    with (
        pytest.raises(PluginError, match=r"'Picky': its handler wrapper 'picky' refuses .*what a Flower is") as caught,
        TestClient(app),
    ):
        pass
    assert isinstance(caught.value.__cause__, TypeError)


@BOTH
def test_a_wrapper_whose_handler_returns_no_answer_is_named(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    def counting(route: RouteSpec, handler: Any) -> Any:
        def run(req: SlimeRequest, resp: SlimeResponse) -> int:
            return 7

        async def run_async(req: SlimeRequest, resp: SlimeResponse) -> int:
            return 7

        return run_async if route.is_async else run

    app = app_with(around("counting", counting))
    app.route(path="/")(handler)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    (error,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert "the handler, inside of the wrapper 'counting' of plugin 'Counting', returned an int: " in str(error)
