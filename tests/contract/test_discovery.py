"""Plugins that are installed: distributions with entry points, made up for the test."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import slimeweb
from slimeweb import Slime
from slimeweb.errors import PluginError
from slimeweb_cli.main import main
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


def test_slime_cli_cannot_claim_a_command_that_there_is(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("toythief", {"slimeweb": {"thief": "toythief_module"}}, COMMAND.replace('"hello"', '"run"'))
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr()
    assert ended.value.code == 0
    assert "'thief' of toythief 1.2 failed in slime_cli" in shown.err
    assert "there is a command 'run' already" in shown.err
    assert "plugins " in shown.out


# Beside a broken plugin.

BROKEN = {
    "raises": ("raise OSError('gone')", "cannot be imported: OSError: gone"),
    "imports what is not there": ("import no_such_module", "cannot be imported: ModuleNotFoundError: "),
    "is no Python": ("def", "cannot be imported: SyntaxError: "),
    "exits": ("raise SystemExit(0)", "cannot be imported: SystemExit: 0"),
    "exits with text": ("import sys; sys.exit('no key')", "cannot be imported: SystemExit: no key"),
    "leaves": ("class Leave(BaseException): pass\nraise Leave('now')", "cannot be imported: Leave: now"),
    "has the hook of nobody": (COMMAND.replace("slime_cli", "slime_cly"), "implements slime_cly, which is not a hook"),
    "has the mark forgotten": (COMMAND.replace("@hookimpl", ""), ": slime_cli is not marked as a hook"),
    "takes by keyword": (COMMAND.replace("(commands)", "(*, commands)"), ": slime_cli takes commands by keyword only"),
    "is asynchronous": (COMMAND.replace("def slime_cli", "async def slime_cli"), ": slime_cli is async def"),
    "fails in slime_cli": (COMMAND.replace("commands.add", "1 / 0, commands.add"), "failed in slime_cli: ZeroDivision"),
    "exits in slime_cli": (COMMAND.replace("commands.add", "exit(), commands.add"), "failed in slime_cli: SystemExit"),
    "claims a command": (COMMAND.replace('"hello"', '"run"'), "there is a command 'run' already"),
}


@pytest.mark.parametrize("source", BROKEN)
def test_the_command_line_works_beside_a_broken_plugin(
    install: Install, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, message = BROKEN[source]
    install.plugin("broken", text)
    install.plugin("working", COMMAND.replace('"hello"', '"greet"'))
    named = "plugin 'broken' of toybroken 1.2"

    assert main(["plugins"]) == 0
    listed = capsys.readouterr().out
    assert "toyworking 1.2 (plugin 'working')\n    slime greet\n" in listed
    assert f"toybroken 1.2 (plugin 'broken')\n    cannot be used: {named}" in listed
    assert message in listed

    assert main(["plugins", "--json"]) == 0
    broken, working = json.loads(capsys.readouterr().out)
    assert (broken["name"], broken["distribution"], broken["version"]) == ("broken", "toybroken", "1.2")
    assert message in broken["error"]
    assert (working["name"], working["hooks"], working["adds"], working["error"]) == (
        "working",
        ["slime_cli"],
        ["slime greet"],
        None,
    )

    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr()
    assert ended.value.code == 0
    assert "greet " in shown.out
    assert named in shown.err
    assert message in shown.err

    assert main(["version"]) == 0
    assert main(["greet", "Ada"]) == 7
    assert capsys.readouterr().out.endswith("Hello Ada\n")

    # What may be a command of the broken one.
    assert main(["hello", "Ada"]) == 1
    error = capsys.readouterr().err
    assert "there is no command 'hello' without plugin 'broken'" in error
    assert message in error
    assert error.count("\n") == 1


def test_a_command_whose_arguments_cannot_be_declared_leaves_the_others_alone(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install.plugin("broken", COMMAND.replace("parser.add_argument", "parser.add_arguments"))
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "greets" in capsys.readouterr().out
    assert main(["hello", "Ada"]) == 1
    assert re.search(r"the command 'hello' of toybroken_module.* is broken: AttributeError", capsys.readouterr().err)


def test_plugins_in_each_others_way_are_listed(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install.plugin("first", GREETER)
    install.plugin("second", GREETER)
    assert main(["plugins"]) == 0
    listed = capsys.readouterr().out
    assert "(plugin 'first')\n    app.greeting\n" in listed
    assert (
        "(plugin 'second')\n    cannot be used: plugin 'second' of toysecond 1.2 claims the name 'greeting'" in listed
    )


def test_an_interrupt_while_a_plugin_is_imported_says_which(install: Install) -> None:
    install.plugin("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt) as caught:
        Slime(__file__)
    assert caught.value.__notes__ == ["plugin 'slow' of toyslow 1.2 (toyslow_module) cannot be imported"]
