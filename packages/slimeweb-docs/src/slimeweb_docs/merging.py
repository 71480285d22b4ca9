"""How parts of a document that several plugins give become one."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from types import GenericAlias, UnionType
from typing import Any

from slimeweb.commands import Plugin
from slimeweb.spelling import suggestion
from slimeweb_docs.annotations import describe
from slimeweb_docs.components import Components
from slimeweb_docs.errors import SchemaError

__all__ = ["DOCUMENT", "OPERATION", "Merger", "fill_in", "plain"]

Place = tuple[str, ...]

Fields = Mapping[str, type | UnionType]
"""The fields of an object, and what JSON makes of them in Python."""

OPERATION: Fields = {
    "tags": list,
    "summary": str,
    "description": str,
    "externalDocs": dict,
    "parameters": list,
    "requestBody": dict | None,
    "responses": dict,
    "callbacks": dict,
    "deprecated": bool,
    "security": list,
    "servers": list,
}
"""What plugins may say about an operation. Its id is slimeweb-docs' own business."""

DOCUMENT: Fields = {
    "info": dict,
    "servers": list,
    "paths": dict,
    "webhooks": dict,
    "components": dict,
    "tags": list,
    "externalDocs": dict,
}
"""What plugins may say about the document. OpenAPI has `security` there too, but an operation that says its own would
lose what a plugin says about all.
"""

_IDENTITY: dict[str, tuple[str, ...]] = {"parameters": ("in", "name"), "servers": ("url",), "tags": ("name",)}
"""The lists whose items are told apart by some of their fields."""


class Merger:
    """One object that plugins add to. Objects are merged field by field, lists of named things (parameters, servers,
    tags) item by item; requirements of security all have to be met. Anything else that differs is a conflict.
    """

    def __init__(self, what: str, found: dict[str, Any], fields: Fields) -> None:
        self.found = found
        self._what = what
        self._fields = fields
        self._owners: dict[Place, Plugin] = {}

    def add(self, plugin: Plugin, part: Mapping[str, Any], components: Components | None = None) -> None:
        """Adds what a plugin says. `PluginError` for what OpenAPI does not have there, and where another plugin says
        something else.
        """
        said: dict[str, Any] = plain(plugin, self._what, part, components)
        for name, value in said.items():
            if name.startswith("x-"):
                continue
            if name not in self._fields:
                raise plugin.error(f": {self._what} has no field {name!r}: {suggestion(name, sorted(self._fields))}")
            if not (
                isinstance(value, self._fields[name]) and all(map(_WELL_FORMED.get(name, _anything), _items(value)))
            ):
                raise plugin.error(f": {self._what} has {name} {value!r}, which is no {name} of OpenAPI 3.1")
        self._merge(plugin, self.found, said, ())

    def _merge(self, plugin: Plugin, found: dict[str, Any], part: dict[str, Any], place: Place) -> None:
        for name, value in part.items():
            here = (*place, name)
            known = found.get(name)
            if name not in found:
                found[name] = value
                self._owners[here] = plugin
            elif known == value:
                continue
            elif isinstance(known, dict) and isinstance(value, dict):
                self._merge(plugin, known, value, here)
            elif here == ("security",) and isinstance(known, list) and isinstance(value, list):
                found[name] = _all_of(known, value)
            elif len(here) == 1 and name in _IDENTITY and isinstance(known, list) and isinstance(value, list):
                self._merge_list(plugin, known, value, here)
            else:
                raise plugin.error(
                    f": {self._what} has {'.'.join(here)} {value!r}, where {self._owner(here)} says {known!r}: "
                    "leave one of them out"
                )

    def _merge_list(self, plugin: Plugin, known: list[Any], items: list[Any], place: Place) -> None:
        for item in items:
            identity = _identity(place[0], item)
            same = next((each for each in known if _identity(place[0], each) == identity), None)
            here = (*place, " ".join(map(str, identity)))
            if same is None:
                known.append(item)
                self._owners[here] = plugin
            elif isinstance(same, dict) and isinstance(item, dict):
                self._merge(plugin, same, item, here)

    def _owner(self, place: Place) -> str:
        owners = (self._owners.get(place[:length]) for length in range(len(place), 0, -1))
        return next((str(owner) for owner in owners if owner is not None), "the application")


def fill_in(found: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Adds to an object what it does not say itself. `None` in `part` adds nothing."""
    for name, value in part.items():
        known = found.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            fill_in(known, value)
        elif isinstance(known, list) and isinstance(value, list) and name in _IDENTITY:
            for item in value:
                same = next((each for each in known if _identity(name, each) == _identity(name, item)), None)
                if same is None:
                    known.append(item)
                elif isinstance(same, dict) and isinstance(item, dict):
                    fill_in(same, item)
        elif name not in found and value is not None:
            found[name] = value


def plain(plugin: Plugin, what: str, value: Any, components: Components | None = None, place: Place = ()) -> Any:
    """A copy of what a plugin gives, as JSON has it. A type that stands for a schema becomes one where there are
    components to hold it. `PluginError` for anything that JSON does not have.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(plugin, what, each, components, (*place, str(key))) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(plugin, what, each, components, (*place, str(at))) for at, each in enumerate(value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if components is not None and place[-1:] == ("schema",) and _is_type(value):
        try:
            return components.adopt(describe(value, output="responses" in place))
        except SchemaError as error:
            raise plugin.error(f": {what} has {'.'.join(place)} {value!r}: {error}") from error
    raise plugin.error(
        f": {what} has {'.'.join(place)} {value!r}, which JSON does not have: use text, numbers and the like"
    )


def _is_type(value: Any) -> bool:
    # Those of `typing`, such as `Optional[Pet]`, have no class in common.
    return isinstance(value, type | GenericAlias | UnionType) or typing.get_origin(value) is not None


def _anything(item: Any) -> bool:
    return True


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


_WELL_FORMED: dict[str, Callable[[Any], bool]] = {
    "parameters": lambda item: isinstance(item, dict) and ("$ref" in item or {"name", "in"} <= item.keys()),
    "responses": lambda item: item is None or isinstance(item, dict),
    "security": lambda item: isinstance(item, dict) and all(isinstance(scopes, list) for scopes in item.values()),
}
"""What the items of some fields have to be for them to be merged."""


def _identity(name: str, item: Any) -> tuple[Any, ...]:
    if isinstance(item, dict) and "$ref" not in item:
        return tuple(item.get(field) for field in _IDENTITY[name])
    return (item["$ref"],) if isinstance(item, dict) else (item,)


def _all_of(one: list[Any], other: list[Any]) -> list[Any]:
    """Requirements that both lists of alternatives meet: each of one with each of the other. An empty list is none."""
    found: list[Any] = []
    for first in one or [{}]:
        for second in other or [{}]:
            both = {**first}
            for name, scopes in second.items():
                both[name] = list(dict.fromkeys([*both.get(name, ()), *scopes]))
            if both not in found:
                found.append(both)
    return found
