"""What breaks the plugin contract is an error that names the plugin."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoints, distributions
from pathlib import Path
from typing import Any

import pytest

from slimeweb import RouteKind, RouteOption, Slime, SlimeMiddleware, hookimpl
from slimeweb._plugin_manager import PluginManager
from slimeweb.errors import InvalidMiddlewareHandlerType, PluginError
from slimeweb.testing import TestClient


def plugin(name: str, **hooks: Callable[..., Any]) -> object:
    """An object with these hooks; a hook takes `self` and what it asks for."""
    return type(name, (), {hook: hookimpl(function) for hook, function in hooks.items()})()


def serve(*given: object, **route: Any) -> None:
    app = Slime(__file__, plugins=given)
    app.route("/", **route)(lambda req, resp: "hello")
    with TestClient(app):
        pass


def test_a_misspelled_hook_is_named_with_the_right_name() -> None:
    with pytest.raises(PluginError, match=r"'Typo' implements slime_start_up, .* did you mean slime_startup\?"):
        Slime(__file__, plugins=[plugin("Typo", slime_start_up=lambda self, app: None)])


def test_an_unmarked_hook_is_named() -> None:
    class Unmarked:
        def slime_startup(self, app: Slime) -> None: ...

    with pytest.raises(PluginError, match=r"'Unmarked': slime_startup is not marked .*@slimeweb.hookimpl"):
        Slime(__file__, plugins=[Unmarked()])


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(PluginError, match=r"'Wrong' does not fit the contract.*application"):
        Slime(__file__, plugins=[plugin("Wrong", slime_startup=lambda self, application: None)])


def test_a_class_is_not_a_plugin() -> None:
    class Hello: ...

    with pytest.raises(PluginError, match=r"Slime\(plugins=\[Hello\(\)\]\)"):
        Slime(__file__, plugins=[Hello])


def test_a_plugin_given_twice_is_named() -> None:
    one = plugin("One", slime_startup=lambda self: None)
    with pytest.raises(PluginError, match=r"plugin 'One' is given twice"):
        Slime(__file__, plugins=[one, one])


@pytest.mark.parametrize("hook", ["slime_app_members", "slime_route_options", "slime_serve_options"])
def test_a_hook_that_raises_is_named(hook: str) -> None:
    def fail(self: object) -> None:
        raise ZeroDivisionError("oops")

    with pytest.raises(PluginError, match=f"plugin 'Failing' failed in {hook}: ZeroDivisionError: oops") as caught:
        Slime(__file__, plugins=[plugin("Fine", slime_startup=lambda self: None), plugin("Failing", **{hook: fail})])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("hook", "result", "reason"),
    [
        ("slime_app_members", ["a"], "return a Mapping"),
        ("slime_app_members", {"_a": 1}, "not a public Python name"),
        ("slime_app_members", {"a-b": 1}, "not a public Python name"),
        ("slime_app_members", {"route": 1}, "which slimeweb itself has already"),
        ("slime_request_members", {"json": len}, "which slimeweb itself has already"),
        ("slime_request_members", {"get_cookies": len}, "which slimeweb itself has already"),
        ("slime_response_members", {"set_cookie": len}, "which slimeweb itself has already"),
        ("slime_route_options", [RouteOption("body_size")], "which slimeweb itself has already"),
        ("slime_route_options", ["cache"], "return RouteOption objects"),
        ("slime_routes", ["/health"], "return RouteSpec objects"),
        ("slime_route_kind", "stream", "return a RouteKind"),
        ("slime_route_kind", RouteKind("odd", lambda route, handler: None), "made None of"),  # type: ignore[arg-type, return-value]
        ("slime_middleware", [len], "return SlimeMiddleware objects"),
        ("slime_body_filter", "rot13", "has no method begin"),
    ],
)
def test_a_wrong_result_is_named(hook: str, result: object, reason: str) -> None:
    with pytest.raises(PluginError, match=f"plugin 'Wrong'.*{reason}"):
        serve(plugin("Wrong", **{hook: lambda self: result}))


@pytest.mark.parametrize(
    ("hook", "result"),
    [
        ("slime_app_members", {"page": 1}),
        ("slime_request_members", {"locale": len}),
        ("slime_response_members", {"csv": len}),
        ("slime_route_options", [RouteOption("cache")]),
    ],
)
def test_clashing_names_name_both_plugins(hook: str, result: object) -> None:
    with pytest.raises(PluginError, match=r"plugin 'Second' claims the name .* which plugin 'First' has already"):
        serve(plugin("First", **{hook: lambda self: result}), plugin("Second", **{hook: lambda self: result}))


def test_a_route_of_two_kinds_names_both_plugins() -> None:
    def kind(name: str) -> object:
        return plugin(name, slime_route_kind=lambda self: RouteKind(name.lower(), lambda route, handler: handler))

    with pytest.raises(PluginError, match=r"plugin 'First' \(first\) and plugin 'Second' \(second\) both claim it"):
        serve(kind("First"), kind("Second"))


def test_a_kind_of_two_plugins_names_both() -> None:
    def kind(name: str, path: str) -> object:
        same = RouteKind("same", lambda route, handler: handler)
        return plugin(name, slime_route_kind=lambda self, route: same if route.path == path else None)

    app = Slime(__file__, plugins=[kind("First", "/a"), kind("Second", "/b")])
    app.route("/a")(lambda req, resp: None)
    app.route("/b")(lambda req, resp: None)
    with (
        pytest.raises(PluginError, match=r"plugin 'Second' has a route kind 'same', which plugin 'First'"),
        TestClient(app),
    ):
        pass


def test_asynchronous_middleware_of_a_plugin_does_not_fit_a_synchronous_route() -> None:
    class Later(SlimeMiddleware):
        async def middle_before(self, req: Any, resp: Any) -> None: ...

    with pytest.raises(PluginError, match=r"plugin 'Lazy': .*Later.middle_before is async def") as caught:
        serve(plugin("Lazy", slime_middleware=lambda self: [Later()]))
    assert isinstance(caught.value.__cause__, InvalidMiddlewareHandlerType)


def test_plugins_are_called_in_the_order_given() -> None:
    names: list[str] = []
    serve(*(plugin(name, slime_startup=lambda self: names.append(type(self).__name__)) for name in "ABC"))
    assert names == ["A", "B", "C"]


class Installed:
    """Makes distributions with entry points, as installing them would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, distribution: str, group: str, entry_points: str, **modules: str) -> None:
        info = self.directory / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry_points}\n")
        for name, source in modules.items():
            (self.directory / f"{name}.py").write_text(source)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    def found_there(**query: str) -> EntryPoints:
        """What is really installed beside core stays out of sight."""
        there = distributions(path=[str(tmp_path)])
        return EntryPoints(point for each in there for point in each.entry_points).select(**query)  # type: ignore[arg-type]

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("SLIME_DISABLE_PLUGINS", raising=False)
    monkeypatch.setattr("importlib.metadata.entry_points", found_there)
    for name in [name for name in sys.modules if name.startswith("toy_")]:
        monkeypatch.delitem(sys.modules, name)
    return Installed(tmp_path)


HELLO = "import slimeweb\n@slimeweb.hookimpl\ndef slime_app_members(app):\n    return {'hello': 'Hello'}\n"


def test_installed_plugins_are_found(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("toy-hello", "slimeweb", "toy = toy_hello", toy_hello=HELLO)
    app = Slime(__file__)
    assert app.hello == "Hello"
    (found,) = [plugin for plugin in app.plugins.plugins if plugin.name == "toy"]
    assert (found.distribution, found.version, found.hooks) == ("toy-hello", "1.2", ("slime_app_members",))
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "other, toy")
    with pytest.raises(AttributeError, match=r"'hello'"):
        _ = Slime(__file__).hello
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "*")
    assert PluginManager().plugins == ()


def test_a_plugin_that_cannot_be_imported_is_named(installed: Installed) -> None:
    installed("toy-broken", "slimeweb", "toy = toy_broken", toy_broken="1 / 0\n")
    with pytest.raises(
        PluginError, match=r"'toy' of toy-broken 1.2 .toy_broken. cannot be imported.*DISABLE_PLUGINS=toy"
    ):
        Slime(__file__)


def test_an_installed_plugin_that_fails_is_named_with_its_distribution(installed: Installed) -> None:
    installed("toy-failing", "slimeweb", "toy = toy_failing", toy_failing=HELLO.replace("return", "1 / 0 #"))
    with pytest.raises(PluginError, match=r"plugin 'toy' of toy-failing 1.2 failed in slime_app_members: ZeroDivision"):
        Slime(__file__)


def test_exports_are_resolved(installed: Installed) -> None:
    installed("toy-exports", "slimeweb.exports", "ToyColour = toy_colour:Colour", toy_colour="class Colour: ...\n")
    from slimeweb import ToyColour  # type: ignore[attr-defined]

    assert ToyColour.__module__ == "toy_colour"
    import slimeweb

    assert "ToyColour" in dir(slimeweb)


def test_an_export_claimed_twice_names_both_distributions(installed: Installed) -> None:
    for name in ("toy-one", "toy-two"):
        installed(name, "slimeweb.exports", "ToyShape = toy_shape:Shape", toy_shape="class Shape: ...\n")
    with pytest.raises(PluginError, match=r"slimeweb.ToyShape is claimed by toy-one and by toy-two"):
        from slimeweb import ToyShape  # type: ignore[attr-defined] # noqa: F401


def test_an_export_that_cannot_be_imported_is_named(installed: Installed) -> None:
    installed("toy-gone", "slimeweb.exports", "ToyGone = toy_gone:Gone")
    with pytest.raises(PluginError, match=r"slimeweb.ToyGone from toy-gone \(toy_gone:Gone\) cannot be imported"):
        from slimeweb import ToyGone  # type: ignore[attr-defined] # noqa: F401
