"""Which plugins an application has: `Slime(file, plugins, without=…, installed=…)`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from slimeweb import Slime, hookimpl
from slimeweb._core import __version__
from slimeweb.errors import ConfigError, PluginError
from support.installing import Install
from support.toys import toy

LIMITS = """
from slimeweb import hookimpl

class Limits:
    def __init__(self, default="1/s"):
        self.default = default

    @hookimpl
    def slime_app_members(self):
        return {"limit": self.default}
"""
SILENT = "pass"


def names(app: Slime) -> list[str]:
    return [plugin.name for plugin in app.plugins.plugins]


def named(name: str, **hooks: Any) -> object:
    """A plugin that says its name."""
    plugin = toy("Toy", **hooks)
    plugin.name = name  # type: ignore[attr-defined]
    return plugin


@pytest.fixture
def installed(install: Install) -> Install:
    """The plugins `audit`, `limits` and `metrics`."""
    install.plugin("audit", SILENT)
    install.plugin("limits", LIMITS, target=":Limits")
    install.plugin("metrics", SILENT)
    return install


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, ["audit", "limits", "metrics"]),
        ({"without": ["limits"]}, ["audit", "metrics"]),
        ({"without": ("audit", "metrics")}, ["limits"]),
        ({"installed": False}, []),
        ({"installed": True}, ["audit", "limits", "metrics"]),
        ({"installed": ["metrics", "audit"]}, ["audit", "metrics"]),
        ({"installed": ["audit", "limits"], "without": ["audit"]}, ["limits"]),
        ({"installed": []}, []),
        # slimeweb's own may be left out where they are not installed.
        ({"without": ["docs"]}, ["audit", "limits", "metrics"]),
        ({"plugins": [toy("Mine")]}, ["audit", "limits", "metrics", "Mine"]),
        ({"plugins": [toy("Mine")], "installed": False}, ["Mine"]),
        # One that is given keeps the place of the one that it replaces.
        ({"plugins": [toy("Mine"), named("audit")]}, ["audit", "limits", "metrics", "Mine"]),
        ({"plugins": [named("audit")], "installed": ["limits"]}, ["limits", "audit"]),
    ],
)
@pytest.mark.usefixtures("installed")
def test_an_application_has_the_plugins_that_it_asks_for(arguments: dict[str, Any], found: list[str]) -> None:
    assert names(Slime(__file__, **arguments)) == found
    # The next one is not touched by that.
    assert names(Slime(__file__)) == ["audit", "limits", "metrics"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"without": ["limit"]}, r"without=…\) names 'limit', and no such plugin is installed: did you mean 'limits'"),
        ({"installed": ["metric"]}, r"installed=…\) names 'metric', .* did you mean 'metrics'"),
        ({"installed": ["qqq"]}, "there are .*audit, .*limits, .*metrics"),
        ({"without": "limits"}, r"without='limits'\): give a list of names"),
        ({"installed": "limits"}, r"installed='limits'\): give a list of names"),
        ({"without": [1]}, "give a list of names"),
        ({"without": 1}, "give a list of names"),
        ({"plugins": [named("limits")], "without": ["limits"]}, "'limits' is in Slime.plugins=.* take away one"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_a_name_that_no_plugin_has_is_an_error_with_a_suggestion(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Slime(__file__, **arguments)


def test_an_extra_that_is_not_installed_is_told_with_what_to_install(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimeweb._plugin_discovery.entry_points", lambda group: ())
    with pytest.raises(ConfigError, match=r"'ws'.*pip install 'slimeweb\[ws\]'"):
        Slime(__file__, installed=["ws"])


def test_what_a_plugin_would_add_that_is_left_out_is_told_so(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "")
    install.plugin("stream", SILENT)
    app = Slime(__file__, without=["stream"])
    left_out = "comes with the plugin 'stream', which this application leaves out"
    with pytest.raises(AttributeError, match=left_out):
        app.stream("/")
    with pytest.raises(TypeError, match=left_out):
        app.route("/", stream="text/plain")
    with pytest.raises(AttributeError, match=left_out):
        Slime(__file__, installed=False).stream("/")


def test_an_object_replaces_the_installed_plugin_whose_class_it_is(installed: Install) -> None:
    assert Slime(__file__).limit == "1/s"
    from toylimits_module import Limits  # type: ignore[import-not-found]

    app = Slime(__file__, plugins=[Limits(default="10/s")])
    assert app.limit == "10/s"
    assert names(app) == ["audit", "limits", "metrics"]
    assert names(Slime(__file__, [Limits()], installed=False)) == ["limits"]


def test_a_module_replaces_the_installed_plugin_that_leads_to_it(installed: Install) -> None:
    Slime(__file__)
    import toyaudit_module  # type: ignore[import-not-found]

    assert names(Slime(__file__, plugins=[toyaudit_module])) == ["audit", "limits", "metrics"]


def test_the_attribute_name_of_an_object_counts_before_its_class(installed: Install) -> None:
    Slime(__file__)
    from toylimits_module import Limits

    second = Limits(default="9/s")
    second.name = "more limits"
    with pytest.raises(PluginError) as caught:
        Slime(__file__, plugins=[second])
    assert str(caught.value) == (
        "plugin 'more limits' claims the name 'limit' in slime_app_members, which plugin 'limits' of toylimits 1.2 has "
        "already: to go without the installed one, give Slime(__file__, without=['limits'])"
    )
    assert Slime(__file__, plugins=[second], without=["limits"]).limit == "9/s"


def test_a_replaced_plugin_need_not_work(install: Install) -> None:
    install.plugin("broken", "raise OSError('no such library')")
    assert names(Slime(__file__, plugins=[named("broken")])) == ["broken"]


def test_the_variable_wins_over_the_application(installed: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "*")
    assert names(Slime(__file__, plugins=[toy("Mine")], installed=["audit"], without=["limits"])) == ["Mine"]


def test_a_class_that_needs_arguments_is_told_with_what_to_give(install: Install) -> None:
    install.plugin("limits", LIMITS.replace('="1/s"', ""), target=":Limits")
    match = r"'limits' of toylimits 1\.2 .*without arguments: give Slime\(__file__, plugins=\[Limits\(…\)\]\)"
    with pytest.raises(PluginError, match=match):
        Slime(__file__)


GREETER = """
from slimeweb import hookimpl

@hookimpl
def slime_app_members():
    return {"greeting": "hello"}
"""


def test_two_installed_plugins_in_each_others_way_are_told_with_what_to_type(install: Install) -> None:
    install.plugin("first", GREETER)
    install.plugin("second", GREETER)
    with pytest.raises(PluginError) as caught:
        Slime(__file__)
    advice = str(caught.value).partition(" has already: ")[2]
    assert advice == (
        "to go without one of them, give Slime(__file__, without=['second']) or Slime(__file__, without=['first'])"
    )
    for chosen in re.findall(r"without=(\['\w+'\])", advice):
        assert Slime(__file__, without=eval(chosen)).greeting == "hello"
    assert caught.value.plugin == "second"


def test_two_objects_in_each_others_way_are_told_so() -> None:
    plugins = [named(name, slime_app_members=lambda: {"greeting": 1}) for name in ("one", "other")]
    with pytest.raises(PluginError, match="give only one of them in Slime"):
        Slime(__file__, plugins)


def test_a_property_that_gives_the_name_and_raises_is_named() -> None:
    class Broken:
        @property
        def name(self) -> str:
            raise OSError("no name")

    with pytest.raises(PluginError, match="plugin 'Broken' failed in its attribute name: OSError: no name"):
        Slime(__file__, [Broken()])


@pytest.mark.parametrize(
    ("requirement", "admitted"),
    [
        ("slimeweb-core", True),
        (f"slimeweb-core=={__version__}", True),
        (f"slimeweb_core (>=0.1,<{__version__})", False),
        (f"SlimeWeb.Core[validation]>{__version__}", False),
        ("slimeweb-core<0.1", False),
        ("slimeweb-core~=97.1", False),
        ("slimeweb-core<0.1; python_version < '3'", True),
        ("slimeweb-core @ https://example.org/core.whl", True),
        ("another-distribution<0.1", True),
    ],
)
def test_a_plugin_that_needs_another_version_of_the_core_is_named_with_both(
    install: Install, requirement: str, admitted: bool
) -> None:
    # Its import would fail: the version is looked at before.
    source = SILENT if admitted else "from slimeweb import something_of_another_version"
    install.plugin("old", source, requires=["pluggy>=1", requirement])
    if admitted:
        assert names(Slime(__file__)) == ["old"]
        return
    match = rf"'old' of toyold 1\.2 needs slimeweb-core [<>=~.,\d]+, and this is slimeweb-core {re.escape(__version__)}"
    with pytest.raises(PluginError, match=match):
        Slime(__file__)
    assert names(Slime(__file__, without=["old"])) == []


def test_what_is_installed_while_the_program_runs_is_found(install: Install) -> None:
    install.plugin("audit", SILENT)
    assert names(Slime(__file__)) == ["audit"]
    install.plugin("limits", LIMITS, target=":Limits")
    assert names(Slime(__file__)) == ["audit", "limits"]


# Hooks of plugins.

SHOP = """
from slimeweb import hookimpl, hookspec

class Hooks:
    @hookspec
    def shop_order_placed(self, order, price): ...

    @hookspec(firstresult=True)
    def shop_discount(self, order): ...

class Shop:
    @hookimpl
    def slime_addhooks(self, plugins):
        plugins.add_hookspecs(Hooks)
"""


@pytest.fixture
def shop(install: Install) -> Install:
    """A plugin with hooks of its own."""
    install.plugin("shop", SHOP, target=":Shop")
    return install


@pytest.mark.usefixtures("shop")
def test_slime_addhooks_adds_hooks_that_other_plugins_implement() -> None:
    app = Slime(
        __file__,
        [
            toy("A", shop_order_placed=lambda order: f"A {order}", shop_discount=lambda: None),
            toy("B", shop_order_placed=lambda price, order: f"B {order} {price}", shop_discount=lambda: 7),
            toy("C", shop_discount=lambda order: 8),
        ],
    )
    assert app.plugins.call("shop_order_placed", order="book", price=3) == ["A book", "B book 3"]
    assert app.plugins.call("shop_discount", order="book") == 7
    hooks = {plugin.name: plugin.hooks for plugin in app.plugins.plugins}
    assert hooks["shop"] == ("slime_addhooks",)
    assert hooks["A"] == ("shop_discount", "shop_order_placed")


def test_an_optional_hook_is_called_where_there_is_one_and_ignored_elsewhere(shop: Install) -> None:
    class Discount:
        @hookimpl(optionalhook=True)
        def shop_discount(self, order: str) -> int:
            return len(order)

    assert Slime(__file__, [Discount()]).plugins.call("shop_discount", order="book") == 4
    app = Slime(__file__, [Discount()], without=["shop"])
    assert app.plugins.plugins[0].hooks == ()
    with pytest.raises(ValueError, match="there is no hook 'shop_discount': there are "):
        app.plugins.call("shop_discount", order="book")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (toy("P", shop_discont=lambda order: 1), "'P' implements shop_discont, which is .* did you mean shop_discount"),
        (toy("P", shop_discount=lambda basket: 1), "'P' does not fit the contract: .*basket"),
        (toy("P", slime_addhooks=lambda plugins: plugins.add_hookspecs(int)), "'P' failed in slime_addhooks: ValueEr"),
    ],
)
def test_a_plugin_that_does_not_fit_a_hook_of_a_plugin_is_named(plugin: object, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        Slime(__file__, [plugin])


def test_a_hook_that_two_plugins_add_is_named_with_both(shop: Install) -> None:
    Slime(__file__)
    from toyshop_module import Hooks  # type: ignore[import-not-found]

    match = "'P' failed in slime_addhooks: ValueError: there is a hook shop_discount already, of .*Hooks"
    with pytest.raises(PluginError, match=match):
        Slime(__file__, [toy("P", slime_addhooks=lambda plugins: plugins.add_hookspecs(Hooks))])


@pytest.mark.usefixtures("shop")
def test_a_hook_that_is_called_wrongly_is_told_so() -> None:
    app = Slime(__file__, [toy("A", shop_discount=lambda order: 1)])
    with pytest.raises(TypeError, match="the hook shop_discount is called without order"):
        app.plugins.call("shop_discount")
    with pytest.raises(ValueError, match="no hook 'shop_discont': did you mean 'shop_discount'"):
        app.plugins.call("shop_discont", order="book")
    with pytest.raises(ConfigError, match="call add_hookspecs in slime_addhooks"):
        app.plugins.add_hookspecs(object())
    with pytest.raises(PluginError, match="plugin 'B' failed in shop_order_placed: KeyError"):
        Slime(__file__, [toy("B", shop_order_placed=lambda: {}["x"])]).plugins.call(
            "shop_order_placed", order="book", price=3
        )


def test_a_hook_that_is_declared_async_has_async_implementations(install: Install) -> None:
    install.plugin("shop", SHOP.replace("def shop_order", "async def shop_order"), target=":Shop")

    async def placed(order: str) -> str:
        return f"placed {order}"

    (answer,) = Slime(__file__, [toy("A", shop_order_placed=placed)]).plugins.call(
        "shop_order_placed", order="book", price=3
    )
    with pytest.raises(StopIteration, match="placed book"):
        answer.send(None)


# Wrappers.


@pytest.mark.usefixtures("shop")
def test_a_wrapper_runs_around_the_others_and_may_change_what_they_return() -> None:
    events: list[Any] = []

    class Wrapper:
        @hookimpl(wrapper=True)
        def shop_order_placed(self, order: str) -> Any:
            events.append(order)
            results = yield
            events.append(results)
            return [*results, "wrapped"]

        @hookimpl(wrapper=True)
        def shop_discount(self) -> Any:
            try:
                return (yield) + 1
            except PluginError as error:
                return str(error)

    one, fails = toy("A", shop_order_placed=lambda: "A", shop_discount=lambda: 1), toy("B", shop_discount=lambda: 1 / 0)
    plugins = Slime(__file__, [Wrapper(), one]).plugins
    assert plugins.call("shop_order_placed", order="book", price=3) == ["A", "wrapped"]
    assert events == ["book", ["A"]]
    assert plugins.call("shop_discount", order="book") == 2
    failed = Slime(__file__, [Wrapper(), fails]).plugins.call("shop_discount", order="book")
    assert failed.startswith("plugin 'B' failed in shop_discount: ZeroDivisionError")
