"""Plugins that break the contract: the error names the plugin, the hook and what to do, and has the cause."""

from __future__ import annotations

import functools
import types
from collections.abc import AsyncIterator, Callable, Iterator
from inspect import signature
from typing import Any

import pytest

from slimeweb import (
    RouteKind,
    RouteOption,
    RouteSpec,
    ServeOption,
    Slime,
    SlimeMiddleware,
    SlimeRequest,
    SlimeResponse,
    hookimpl,
    hookspecs,
)
from slimeweb._plugin_manager import PluginManager
from slimeweb.commands import Commands
from slimeweb.errors import MultipleRouteException, PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, toy

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("slime_"))


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
    "slime_addhooks",
    "slime_app_members",
    "slime_declarations",
    "slime_ready",
    "slime_request_members",
    "slime_response_members",
    "slime_route_options",
    "slime_serve_options",
    "slime_route_added",
    "slime_resources",
    "slime_routes",
    "slime_route_kind",
    "slime_wrap_handler",
    "slime_response_head",
    "slime_middleware",
    "slime_app_middleware",
    "slime_body_filter",
    "slime_startup",
    "slime_client_members",
    "slime_cli",
]
"""Hooks that raise to whoever makes, declares or starts. The others are in test_lifespan.py and test_exceptions.py."""

RETURN_NOTHING = {"slime_addhooks", "slime_cli", "slime_ready", "slime_route_added", "slime_startup"}


class Leave(BaseException):
    """No `Exception`, and nobody's business but the plugin's."""


@pytest.mark.parametrize("hook", STARTING)
@pytest.mark.parametrize("kind", [LookupError, SystemExit, Leave])
def test_a_hook_that_raises_is_named_with_its_plugin(hook: str, kind: type[BaseException]) -> None:
    def fail() -> None:
        raise kind("nothing there")

    match = f"plugin 'Broken' failed in {hook}: {kind.__name__}: nothing there"
    with pytest.raises(PluginError, match=match) as caught:
        run(toy("Broken", **{hook: fail}))
    assert isinstance(caught.value.__cause__, kind)
    assert caught.value.plugin == "Broken"


@pytest.mark.parametrize("hook", STARTING)
def test_an_interrupt_stays_what_it_is_and_says_where_it_came(hook: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run(toy("Broken", **{hook: interrupt}))
    assert caught.value.__notes__ == [f"plugin 'Broken' failed in {hook}"]


@pytest.mark.parametrize("hook", sorted(set(HOOKS) - set(STARTING)))
@pytest.mark.parametrize("kind", [LookupError, SystemExit, Leave])
def test_a_hook_that_raises_while_requests_are_served_or_later_is_logged_with_its_plugin(
    hook: str, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise kind("nothing there")

    app = app_with(toy("Broken", **{hook: fail}))
    app.route("/")(lambda req, resp: 1 / 0)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert f"plugin 'Broken' failed in {hook}: {kind.__name__}: nothing there" in caplog.text


def by_keyword(*, app: Slime) -> None: ...


def with_default(app: object = None) -> None: ...


async def later(app: Slime) -> None: ...


def generated(app: Slime) -> Iterator[None]:
    yield


async def generated_later(app: Slime) -> AsyncIterator[None]:
    yield


SHAPES = [
    (by_keyword, "takes app by keyword only, and hooks are called with positions: remove the *"),
    (with_default, "has a default for app, with which pluggy never gives it: remove the default"),
    (later, "is async def, and runs where no loop does: make it a plain def"),
    (generated, "is a generator, which nobody runs: remove its yield"),
    (generated_later, "is a generator, which nobody runs: remove its yield"),
]


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if "app" in signature(getattr(hookspecs, hook)).parameters])
@pytest.mark.parametrize(("function", "message"), SHAPES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_function_that_could_not_be_called_to_its_end_is_refused(
    hook: str, function: Callable[..., Any], message: str
) -> None:
    if function is later and hook in ("slime_startup", "slime_stopping", "slime_shutdown"):
        app_with(toy("Fine", **{hook: function}))
        return
    with pytest.raises(PluginError) as caught:
        app_with(toy("Odd", **{hook: function}))
    assert str(caught.value).startswith(f"plugin 'Odd': {hook} {message}")


async def no_later() -> None: ...


def test_a_coroutine_that_a_plain_function_returns_is_named() -> None:
    with pytest.raises(PluginError, match="plugin 'Odd': slime_route_options returned a coroutine, which nobody"):
        app_with(toy("Odd", slime_route_options=lambda: no_later()))


def test_properties_of_a_plugin_are_not_touched() -> None:
    class Careful:
        @property
        def slime_startup(self) -> None:
            raise AssertionError("touched")

        @functools.cached_property
        def connection(self) -> None:
            raise AssertionError("touched")

        @hookimpl
        def slime_app_members(self) -> dict[str, int]:
            return {"careful": 1}

    assert app_with(Careful()).careful == 1


@pytest.mark.parametrize("hook", ["slime_request_members", "slime_response_members"])
def test_a_member_of_requests_or_responses_that_is_no_function_is_named(hook: str) -> None:
    with pytest.raises(PluginError, match=f"plugin 'Wrong': {hook} has 7 for 'seven': give a function"):
        run(toy("Wrong", **{hook: lambda: {"seven": 7}}))


class Unreadable(list[Any]):
    """A collection that cannot be read, nor shown."""

    def __iter__(self) -> Iterator[Any]:
        raise OSError("unreadable")

    def __repr__(self) -> str:
        raise OSError("unreadable")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (Unreadable(), "failed in what slime_routes returned: OSError: unreadable"),
        ([Unreadable()], ": slime_routes returned a Unreadable, whose repr() fails in its list: return RouteSpec"),
    ],
)
def test_a_result_that_fails_when_it_is_read_is_named(result: object, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        run(toy("Wrong", slime_routes=lambda: result))
    assert message in str(caught.value)


def test_a_plugin_whose_route_is_taken_is_named() -> None:
    with pytest.raises(MultipleRouteException, match=r"^plugin 'Thief' .*GET / has two handlers: "):
        run(toy("Thief", slime_routes=lambda: [RouteSpec.declare("/", home)]))
    with pytest.raises(MultipleRouteException, match=r"^plugin 'Second' .*GET /new has two handlers: "):
        run(*(toy(name, slime_routes=lambda: [RouteSpec.declare("/new", home)]) for name in ("First", "Second")))


@pytest.mark.parametrize(
    ("hook", "option", "own"),
    [
        ("slime_serve_options", ServeOption("dev_"), "dev"),
        ("slime_serve_options", ServeOption("hosts"), "host"),
        ("slime_serve_options", ServeOption("bodysize"), "body_size"),
        ("slime_serve_options", ServeOption("disable_plugin"), "disable_plugins"),
        ("slime_route_options", RouteOption("methods"), "method"),
        ("slime_route_options", RouteOption("streambody"), "stream_body"),
    ],
)
def test_an_option_that_would_be_mistaken_for_one_of_slimewebs_own_is_named(hook: str, option: Any, own: str) -> None:
    match = f"plugin 'P' claims the name '{option.name}' in {hook}, which would be mistaken for slimeweb's own '{own}'"
    with pytest.raises(PluginError, match=match):
        app_with(toy("P", **{hook: lambda: [option]}))


@pytest.mark.parametrize("name", ["worker", "tls_cert", "disable_plugins", "class", "", 7])
def test_an_option_without_a_name_of_its_own_is_named(name: Any) -> None:
    with pytest.raises(PluginError, match="plugin 'P'"):
        app_with(toy("P", slime_serve_options=lambda: [ServeOption(name)]))


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


@pytest.mark.parametrize("hook", sorted(set(STARTING) - RETURN_NOTHING))
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
