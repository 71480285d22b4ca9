"""Plugins that are installed: distributions with entry points, made up for the test."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import slimeweb
from slimeweb import Slime
from slimeweb.errors import PluginError
from support.installing import Install
from support.toys import app_with

GREETER = """
from slimeweb import hookimpl

@hookimpl
def slime_app_members(app):
    return {"greeting": "hello"}
"""


def test_an_installed_plugin_is_found(install: Install) -> None:
    install("toyfound", {"slimeweb": {"greeter": "toyfound_module"}}, GREETER)
    app = Slime(__file__)
    assert app.greeting == "hello"
    (plugin,) = app.plugins.plugins
    assert (plugin.name, plugin.distribution, plugin.version) == ("greeter", "toyfound", "1.2")
    assert plugin.hooks == ("slime_app_members",)
    assert str(plugin) == "plugin 'greeter' of toyfound 1.2"


def test_a_class_as_an_entry_point_makes_an_instance_for_each_application(install: Install) -> None:
    source = """
from slimeweb import hookimpl

class Counter:
    def __init__(self):
        self.routes = []

    @hookimpl
    def slime_route_added(self, route):
        self.routes.append(route.path)

    @hookimpl
    def slime_app_members(self, app):
        return {"counted": self.routes}
"""
    install("toyclass", {"slimeweb": {"counter": "toyclass_module:Counter"}}, source)
    one, other = Slime(__file__), Slime(__file__)
    one.route(path="/a")(lambda req, resp: None)
    assert (one.counted, other.counted) == (["/a"], [])


def test_installed_plugins_come_in_the_order_of_their_names_before_those_given(install: Install) -> None:
    install("toyz", {"slimeweb": {"b": "toyz_module"}})
    install("toyy", {"slimeweb": {"c": "toyy_module", "a": "toyy_module:__name__"}})
    names = [plugin.name for plugin in app_with(object()).plugins.plugins]
    assert names == ["a", "b", "c", "object"]


def test_a_plugin_can_be_disabled(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("toybroken", {"slimeweb": {"broken": "toybroken_module"}}, "raise OSError('no such library')")
    with pytest.raises(
        PluginError, match=r"'broken' of toybroken 1\.2 .*no such library; .*SLIME_DISABLE_PLUGINS=broken"
    ) as caught:
        Slime(__file__)
    assert isinstance(caught.value.__cause__, OSError)
    disabled = ", ".join(point.name for point in entry_points(group="slimeweb"))
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", disabled)
    assert Slime(__file__).plugins.plugins == ()


def test_two_plugins_with_one_entry_point_name_are_both_named(install: Install) -> None:
    install("toyone", {"slimeweb": {"twin": "toyone_module"}})
    install("toytwo", {"slimeweb": {"twin": "toytwo_module"}})
    match = r"'twin' of toytwo 1\.2 has the same name as plugin 'twin' of toyone 1\.2: uninstall"
    with pytest.raises(PluginError, match=match):
        Slime(__file__)


def test_a_clash_names_both_distributions(install: Install) -> None:
    install("toyfirst", {"slimeweb": {"first": "toyfirst_module"}}, GREETER)
    install("toysecond", {"slimeweb": {"second": "toysecond_module"}}, GREETER)
    match = r"'second' of toysecond 1\.2 claims the name 'greeting' .* plugin 'first' of toyfirst 1\.2 has"
    with pytest.raises(PluginError, match=match):
        Slime(__file__)


def test_a_hook_that_raises_names_the_distribution(install: Install) -> None:
    source = "from slimeweb import hookimpl\n@hookimpl\ndef slime_app_members(app):\n    raise OSError('gone')\n"
    install("toyraise", {"slimeweb": {"raiser": "toyraise_module"}}, source)
    with pytest.raises(PluginError, match=r"'raiser' of toyraise 1\.2 failed in slime_app_members: OSError: gone"):
        Slime(__file__)


# Exports.


def test_an_export_is_imported_from_slimeweb(install: Install) -> None:
    install("toyexport", {"slimeweb.exports": {"ToyThing": "toyexport_module:Thing"}}, "class Thing: pass")
    from slimeweb import ToyThing  # type: ignore[attr-defined]

    assert ToyThing.__module__ == "toyexport_module"
    assert "ToyThing" in dir(slimeweb)


def test_an_export_that_two_distributions_claim_names_both(install: Install) -> None:
    install("toyleft", {"slimeweb.exports": {"ToyThing": "toyleft_module:Thing"}}, "class Thing: pass")
    install("toyright", {"slimeweb.exports": {"ToyThing": "toyright_module:Thing"}}, "class Thing: pass")
    with pytest.raises(PluginError, match=r"slimeweb\.ToyThing is claimed by toyleft and by toyright"):
        _ = slimeweb.ToyThing  # type: ignore[attr-defined]


def test_an_export_that_cannot_be_imported_names_its_distribution(install: Install) -> None:
    install("toylost", {"slimeweb.exports": {"ToyThing": "toylost_module:Missing"}})
    with pytest.raises(PluginError, match=r"slimeweb\.ToyThing from toylost .*cannot be imported") as caught:
        _ = slimeweb.ToyThing  # type: ignore[attr-defined]
    assert isinstance(caught.value.__cause__, AttributeError)


@pytest.fixture
def nothing_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimeweb._exports.entry_points", lambda group: ())


@pytest.mark.usefixtures("nothing_exported")
@pytest.mark.parametrize(("name", "extra"), [("SlimeCompression", "compress"), ("BodySchema", "docs")])
def test_an_export_of_a_plugin_that_is_not_installed_says_what_to_install(name: str, extra: str) -> None:
    advice = rf"pip install 'slimeweb\[{extra}\]'"
    with pytest.raises(ImportError, match=advice):
        exec(f"from slimeweb import {name}")
    with pytest.raises(AttributeError, match=advice):
        getattr(slimeweb, name)
    assert not hasattr(slimeweb, name)


@pytest.mark.usefixtures("nothing_exported")
def test_a_name_that_nobody_knows_is_an_ordinary_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'SlimeCompresion' from 'slimeweb'"):
        exec("from slimeweb import SlimeCompresion")
    with pytest.raises(AttributeError, match=r"module 'slimeweb' has no attribute 'SlimeCompresion'$"):
        _ = slimeweb.SlimeCompresion  # type: ignore[attr-defined]


# The command line.

COMMAND = """
from slimeweb import hookimpl

@hookimpl
def slime_cli(commands):
    def hello(arguments):
        print(f"Hello {arguments.name}")
        return 7

    commands.add("hello", hello, help="greets", configure=lambda parser: parser.add_argument("name"))
"""


def slime(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(site)!r}); from slimeweb_cli.main import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60)


def test_slime_cli_adds_a_subcommand(install: Install) -> None:
    site = install("toycli", {"slimeweb": {"cli": "toycli_module"}}, COMMAND)
    ran = slime(site, "hello", "Ada")
    assert (ran.returncode, ran.stdout) == (7, "Hello Ada\n"), ran.stderr
    assert "greets" in slime(site, "--help").stdout
    assert slime(site, "hello").returncode == 2


def test_slime_cli_cannot_claim_a_command_that_there_is(install: Install) -> None:
    site = install("toythief", {"slimeweb": {"thief": "toythief_module"}}, COMMAND.replace('"hello"', '"run"'))
    ran = slime(site, "--help")
    assert ran.returncode != 0
    assert "'thief' of toythief 1.2 failed in slime_cli" in ran.stderr
    assert "there is a command 'run' already" in ran.stderr
    assert "Traceback" not in ran.stderr
