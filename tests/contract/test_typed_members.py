"""What plugins declare for type checkers is what their hooks add."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from importlib.metadata import EntryPoint, entry_points

import pytest

from slimeweb import Slime
from slimeweb_ws import WebSocketOptions
from slimeweb_ws.members import WebSocketArguments

HOOKS = {
    "AppMembers": "slime_app_members",
    "DeclaringMembers": "slime_declarations",
    "RequestMembers": "slime_request_members",
    "ResponseMembers": "slime_response_members",
    "RouteOptions": "slime_route_options",
    "ServeOptions": "slime_serve_options",
}
POINTS = sorted(entry_points(group="slimeweb.members"), key=lambda point: point.name)


@pytest.fixture(autouse=True)
def installed_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of the contract do without."""
    monkeypatch.delenv("SLIME_DISABLE_PLUGINS", raising=False)


def declared(point: EntryPoint) -> dict[str, set[str]]:
    module = point.load()
    return {kind: set(getattr(module, kind).__annotations__) for kind in HOOKS if hasattr(module, kind)}


def added(name: str) -> dict[str, set[str]]:
    app = Slime(__file__)
    found: dict[str, set[str]] = {}
    for kind, hook in HOOKS.items():
        arguments = {"app": app} if kind.endswith("Members") else {}
        if hook == "slime_declarations":
            arguments["on"] = app
        for plugin, names in app.plugins.each(hook, Collection, **arguments):  # type: ignore[type-abstract]
            if plugin.name == name:
                found[kind] = set(names) if isinstance(names, Mapping) else {option.name for option in names}
    return found


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_what_a_plugin_declares_is_what_it_adds(point: EntryPoint) -> None:
    assert declared(point) == added(point.name)


def test_every_plugin_of_ours_that_adds_names_declares_them() -> None:
    adding = {point.name for point in entry_points(group="slimeweb") if added(point.name)}
    assert adding
    # slimeweb-typed adds no names: with it handlers may have any shape.
    assert adding == {point.name for point in POINTS if declared(point)}


def test_the_arguments_of_the_decorator_for_websockets_are_the_fields_of_its_options() -> None:
    own = {field.name for field in fields(WebSocketOptions) if field.init}
    assert own == set(WebSocketArguments.__annotations__) - {
        "name",
        "body_size",
        "plugin",
        "resources",
        "blocking",
        "stream_body",
    }
