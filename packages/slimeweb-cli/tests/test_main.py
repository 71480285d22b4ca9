"""The command line: which commands there are, and who adds them."""

from __future__ import annotations

import argparse
import re
import types
from collections.abc import Callable, Collection
from importlib.metadata import entry_points, version

import pytest

from slimeweb import hookimpl
from slimeweb.commands import Commands, PluginManager
from slimeweb_cli import main as command_line
from slimeweb_cli import plugins as plugin_commands
from slimeweb_cli.main import main


def greeting_plugin(name: str) -> types.ModuleType:
    """A toy plugin that adds one command."""

    def greet(options: argparse.Namespace) -> int:
        print(f"hello {options.whom}")
        return 7

    def slime_cli(commands: Commands) -> None:
        commands.add(name, greet, help="greets", configure=lambda parser: parser.add_argument("whom"))

    module = types.ModuleType("toy")
    module.slime_cli = hookimpl(slime_cli)  # type: ignore[attr-defined]
    return module


@pytest.fixture
def with_plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[[types.ModuleType], None]:
    def install(module: types.ModuleType) -> None:
        def installed(*, without: Collection[str]) -> PluginManager:
            return PluginManager([] if module.__name__ in without else [module], installed=False)

        monkeypatch.setattr(plugin_commands, "PluginManager", installed)

    return install


def test_every_documented_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    listed = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))
    assert {"new", "run", "rung", "runw", "rungw", "add", "remove", "version", "plugins", "types"} <= listed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith(f"slimeweb {version('slimeweb-core')}\nCPython ")


def test_plugins_lists_every_installed_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    listed = capsys.readouterr().out
    for point in entry_points(group="slimeweb"):
        assert point.dist is not None
        assert f"{point.dist.name} {point.dist.version} (plugin {point.name!r})\n" in listed


def test_plugins_tells_what_a_plugin_adds(
    capsys: pytest.CaptureFixture[str], with_plugin: Callable[[types.ModuleType], None]
) -> None:
    with_plugin(greeting_plugin("greet"))
    assert main(["plugins"]) == 0
    assert "slime greet" in capsys.readouterr().out


def test_a_plugin_adds_a_command(
    capsys: pytest.CaptureFixture[str], with_plugin: Callable[[types.ModuleType], None]
) -> None:
    with_plugin(greeting_plugin("greet"))
    assert main(["greet", "world"]) == 7
    assert capsys.readouterr().out == "hello world\n"


def test_a_plugin_that_claims_a_command_is_named(
    capsys: pytest.CaptureFixture[str], with_plugin: Callable[[types.ModuleType], None]
) -> None:
    with_plugin(greeting_plugin("run"))
    assert main(["greet", "world"]) == 1
    error = capsys.readouterr().err
    assert "'toy'" in error
    assert "'run'" in error
    assert error.count("\n") == 1


def test_a_command_of_a_plugin_that_is_not_installed_names_its_extra(
    capsys: pytest.CaptureFixture[str], with_plugin: Callable[[types.ModuleType], None]
) -> None:
    with_plugin(types.ModuleType("nothing"))
    assert main(["openapi"]) == 2
    assert "pip install 'slimeweb[docs]'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nope"], ["run"]])
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.main(arguments)
    assert ended.value.code == 2
    assert "usage: slime" in capsys.readouterr().err
