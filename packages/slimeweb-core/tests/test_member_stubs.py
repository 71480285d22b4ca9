"""What `slime types` writes."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import TypedDict

import pytest

from slimeweb import _member_stubs
from slimeweb._entry_points import InstalledEntryPoint
from slimeweb._member_stubs import member_stubs
from slimeweb.errors import PluginError


class AppMembers:
    greet: str


class RouteOptions(TypedDict):
    greeting: str


Install = Callable[[str, str, str, str], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes an entry point of a group, with its name, value and distribution; there are no others."""
    points: dict[str, list[InstalledEntryPoint]] = {}
    monkeypatch.setattr(_member_stubs, "entry_points", lambda group: tuple(points.get(group, ())))
    for name in ("greeting_members", "ws_members"):
        module = types.ModuleType(name)
        vars(module).update(AppMembers=AppMembers, RouteOptions=RouteOptions if name == "greeting_members" else None)
        monkeypatch.setitem(sys.modules, name, module)

    def install(group: str, name: str, value: str, distribution: str) -> None:
        points.setdefault(group, []).append(InstalledEntryPoint(name, value, distribution, "1.0", ()))

    return install


def texts() -> dict[str, str | None]:
    return {path.name: text for path, text in member_stubs().items()}


def test_there_are_none_where_all_plugins_are_slimewebs_own(install: Install) -> None:
    assert texts() == {"members.pyi": None, "exports.pyi": None}
    install("slimeweb.members", "ws", "ws_members", "slimeweb-ws")
    assert texts() == {"members.pyi": None, "exports.pyi": None}


def test_they_join_what_every_plugin_declares(install: Install) -> None:
    install("slimeweb.members", "greeting", "greeting_members", "slimeweb-greeting")
    install("slimeweb.members", "ws", "ws_members", "slimeweb-ws")
    text = texts()["members.pyi"]
    assert text is not None
    assert "class AppMembers(greeting_members.AppMembers, ws_members.AppMembers): ..." in text
    assert "class RouteOptions(greeting_members.RouteOptions, total=False): ..." in text
    assert "class ServeOptions(TypedDict, total=False): ..." in text
    assert "class RequestMembers: ..." in text


def test_they_export_names_under_any_other(install: Install) -> None:
    install("slimeweb.exports", "Greeting", "greeting_members:Greeting", "slimeweb-greeting")
    install("slimeweb.exports", "Hello", "greeting_members:Greeting.Hello", "slimeweb-greeting")
    text = texts()["exports.pyi"]
    assert text is not None
    assert "from greeting_members import Greeting as Greeting\n" in text
    assert "import greeting_members\nHello = greeting_members.Greeting.Hello\n" in text


def test_a_module_that_cannot_be_imported_is_named_with_its_distribution(
    install: Callable[[str, str, str, str], None],
) -> None:
    install("slimeweb.members", "greeting", "no_such_module", "slimeweb-greeting")
    with pytest.raises(PluginError, match=r"no_such_module of slimeweb-greeting 1\.0, which declares"):
        member_stubs()
