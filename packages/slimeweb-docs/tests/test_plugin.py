"""slimeweb finds this plugin by its entry points, and gets from it what the README says."""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.resources import files

import pytest

import slimeweb
import slimeweb_docs
from slimeweb import Slime
from slimeweb._plugin_manager import PluginManager
from slimeweb.commands import Commands
from slimeweb.errors import ConfigError
from slimeweb_docs.plugin import DocsPlugin


def test_slimeweb_finds_the_plugin() -> None:
    (entry_point,) = entry_points(group="slimeweb", name="docs")
    assert entry_point.load() is DocsPlugin
    assert entry_point.dist is not None
    assert entry_point.dist.name == "slimeweb-docs"


@pytest.mark.parametrize("name", ["SlimeSchema", "BodySchema", "QuerySchema", "SlimeResponseType"])
def test_slimeweb_exports_the_names_of_the_plugin(name: str) -> None:
    assert getattr(slimeweb, name) is getattr(slimeweb_docs, name)


def test_the_command_is_added() -> None:
    commands = Commands()
    PluginManager([DocsPlugin()], installed=False).call("slime_cli", commands=commands)
    assert [command.name for command in commands] == ["openapi"]


@pytest.mark.parametrize(
    ("value", "kept"), [(True, True), (False, False), ("1", True), ("off", False), (" Yes ", True), ("0", False)]
)
def test_the_serve_option_and_its_variable(value: object, kept: bool) -> None:
    assert Slime(__file__).serve_config({"docs": value}, {}).options["docs"] is kept


@pytest.mark.parametrize("value", ["maybe", 1, "/docs"])
def test_a_value_that_is_neither_yes_nor_no_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="use True or False"):
        Slime(__file__).serve_config({"docs": value}, {})


def test_the_variable_counts_where_nothing_is_given() -> None:
    assert Slime(__file__).serve_config({}, {"SLIME_DOCS": "1"}).options["docs"] is True
    assert Slime(__file__).serve_config({}, {}).options["docs"] is None


def test_the_package_is_typed() -> None:
    assert files("slimeweb_docs").joinpath("py.typed").is_file()
