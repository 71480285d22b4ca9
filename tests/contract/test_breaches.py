"""Plugins that break the contract: the error names the plugin, the hook and what to do, and has the cause."""

from __future__ import annotations

import types
from typing import Any

import pytest

from slimeweb import RouteKind, RouteOption, ServeOption, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl
from slimeweb._plugin_manager import PluginManager
from slimeweb.commands import Commands
from slimeweb.errors import PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, toy


def home(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "hello"


def run(*plugins: object) -> None:
    """Everything that asks plugins before requests are served, and the command line."""
    app = app_with(*plugins)
    app.route(path="/")(home)
    with TestClient(app) as client:
        assert client.get("/").text == "hello"
    PluginManager(plugins, installed=False).call("slime_cli", commands=Commands())


STARTING = [
    "slime_app_members",
    "slime_request_members",
    "slime_response_members",
    "slime_route_options",
    "slime_serve_options",
    "slime_route_added",
    "slime_routes",
    "slime_route_kind",
    "slime_wrap_handler",
    "slime_response_head",
    "slime_middleware",
    "slime_app_middleware",
    "slime_body_filter",
    "slime_startup",
    "slime_cli",
]
"""Hooks that raise to whoever makes, declares or starts. The others are in test_lifespan.py and test_exceptions.py."""


@pytest.mark.parametrize("hook", STARTING)
def test_a_hook_that_raises_is_named_with_its_plugin(hook: str) -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(PluginError, match=f"plugin 'Broken' failed in {hook}: LookupError: nothing there") as caught:
        run(toy("Broken", **{hook: fail}))
    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.parametrize("hook", STARTING)
def test_a_hook_that_raises_behind_a_wrapper_is_named_all_the_same(hook: str) -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    class Wrapper:
        pass

    def wrap(self: Any) -> Any:
        return (yield)

    setattr(Wrapper, hook, hookimpl(wrapper=True)(wrap))
    with pytest.raises(PluginError, match=f"plugin 'Broken' failed in {hook}"):
        run(Wrapper(), toy("Broken", **{hook: fail}))


@pytest.mark.parametrize(
    "hook", [hook for hook in STARTING if hook not in ("slime_route_added", "slime_startup", "slime_cli")]
)
@pytest.mark.parametrize("wrong", [7, object()], ids=["number", "object"])
def test_a_hook_that_returns_another_type_is_named_with_what_it_returned(hook: str, wrong: object) -> None:
    with pytest.raises(PluginError, match=f"plugin 'Wrong': {hook} returned {wrong!r}"):
        run(toy("Wrong", **{hook: lambda: wrong}))


@pytest.mark.parametrize(
    ("hook", "wrong", "wanted"),
    [
        ("slime_route_options", ServeOption("x"), "RouteOption"),
        ("slime_serve_options", RouteOption("x"), "ServeOption"),
        ("slime_routes", home, "RouteSpec"),
        ("slime_middleware", SlimeMiddleware, "SlimeMiddleware"),
        ("slime_app_middleware", SlimeMiddleware, "SlimeMiddleware"),
    ],
)
def test_a_list_with_something_else_in_it_is_named(hook: str, wrong: object, wanted: str) -> None:
    with pytest.raises(PluginError, match=f"plugin 'Wrong': {hook} returned .* in its list: return {wanted} objects"):
        run(toy("Wrong", **{hook: lambda: [wrong]}))


@pytest.mark.parametrize("hook", STARTING)
def test_a_hook_may_return_none(hook: str) -> None:
    run(toy("Silent", **{hook: lambda: None}))


@pytest.mark.parametrize(
    ("misspelled", "meant"),
    [
        ("slime_app_member", "slime_app_members"),
        ("slime_route_add", "slime_route_added"),
        ("slime_start", "slime_startup"),
    ],
)
def test_a_misspelled_hook_is_named_with_the_right_one(misspelled: str, meant: str) -> None:
    match = f"plugin 'Typo' implements {misspelled}, which is not a hook: did you mean {meant}"
    with pytest.raises(PluginError, match=match):
        app_with(toy("Typo", **{misspelled: lambda: None}))


def test_a_hook_that_resembles_none_is_told_what_there_is() -> None:
    with pytest.raises(PluginError, match=r"which is not a hook; there are .*slime_app_members.*slime_cli"):
        app_with(toy("Typo", qwertyuiop=lambda: None))


def test_a_hook_without_its_mark_is_named() -> None:
    class Unmarked:
        def slime_startup(self, app: Slime) -> None:
            pass

    with pytest.raises(PluginError, match="plugin 'Unmarked': slime_startup is not marked as a hook: put @slimeweb"):
        app_with(Unmarked())


def test_a_hook_that_asks_for_an_argument_it_does_not_have_is_named() -> None:
    with pytest.raises(PluginError, match=r"(?s)plugin 'Greedy' does not fit the contract: .*request") as caught:
        app_with(toy("Greedy", slime_startup=lambda request: None))
    assert caught.value.__cause__ is not None


def test_a_class_in_place_of_its_instance_is_named() -> None:
    class Plugin:
        pass

    with pytest.raises(PluginError, match=r"Plugin is a class: give Slime\(plugins=\[Plugin\(\)\]\)"):
        Slime(__file__, plugins=[Plugin])


def test_two_plugins_of_one_name_are_named() -> None:
    with pytest.raises(PluginError, match="plugin 'Twin' is given twice"):
        app_with(toy("Twin"), toy("Twin"))


def test_a_module_is_a_plugin() -> None:
    module = types.ModuleType("toy_module")
    module.slime_route_kind = hookimpl(  # type: ignore[attr-defined]
        lambda route: RouteKind("loud", lambda route, handler: lambda req, resp: handler(req, resp).upper())
    )
    app = Slime(__file__, plugins=[module])
    app.route(path="/")(home)
    with TestClient(app) as client:
        assert client.get("/").text == "HELLO"


def test_plugins_are_called_in_their_order_unless_they_ask_otherwise() -> None:
    called: list[str] = []

    def noting(name: str, **options: Any) -> object:
        def added(self: Any, route: Any) -> None:
            called.append(name)

        return type(name, (), {"slime_route_added": hookimpl(**options)(added)})()

    app = app_with(noting("a"), noting("b", trylast=True), noting("c"), noting("d", tryfirst=True))
    app.route(path="/")(home)
    assert called == ["d", "a", "c", "b"]


def test_applications_do_not_share_plugins() -> None:
    one, other = app_with(toy("One", slime_app_members=lambda: {"one": 1})), app_with()
    assert [plugin.name for plugin in one.plugins.plugins] == ["One"]
    assert other.plugins.plugins == ()
