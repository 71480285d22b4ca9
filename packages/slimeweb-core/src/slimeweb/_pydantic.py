"""Validation by pydantic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from slimeweb._validator import Validator, steps_in
from slimeweb.errors import ConfigError, FieldError, Place, field_error

__all__ = ["PydanticValidator"]

T = TypeVar("T")


class PydanticValidator(Validator[T]):
    """Checks values against one type that pydantic knows."""

    failures = (ValidationError,)

    def __init__(self, kind: type[T] | Any) -> None:
        try:
            adapter = TypeAdapter(kind)
        except (PydanticUserError, NameError) as error:
            raise ConfigError(f"{kind!r} is no type that pydantic can check: {error}") from error
        validator = adapter.validator
        self.decode = validator.validate_json
        # Text is all that a form or a query can hold, so that nothing in it is of a strict type.
        self.convert = partial(validator.validate_python, strict=False)
        self._lists, self._others = _several(adapter.core_schema)

    def takes_several(self, name: str) -> bool:
        return self._lists.get(name, self._others)

    def is_syntax(self, failure: Exception) -> bool:
        return isinstance(failure, ValidationError) and any(
            each["type"] == "json_invalid" for each in islice(_listed(failure), 1)
        )

    def count(self, failure: Exception) -> int:
        return failure.error_count() if isinstance(failure, ValidationError) else 1

    def errors(
        self, failure: Exception, place: Place, loc: Sequence[str | int] = (), value: object = None
    ) -> Iterator[FieldError]:
        for each in _listed(failure):
            kind, within = each["type"], each["loc"]
            pointer = (*loc, *steps_in(value, within, is_missing=kind == "missing"))
            yield field_error(place, (*loc, *within), _without_input(kind, each["msg"]), kind, pointer=pointer)


def _listed(failure: Exception) -> list[Any]:
    assert isinstance(failure, ValidationError)
    return failure.errors(include_url=False, include_context=False, include_input=False)


def _without_input(kind: str, message: str) -> str:
    """A message of pydantic without what the client sent, which a few of them repeat."""
    if kind == "union_tag_invalid":
        return f"Input should have one of the expected tags: {message.rpartition(': ')[2]}"
    if kind == "uuid_parsing":
        return "Input should be a valid UUID"
    return message


_LISTS = {"list", "set", "frozenset", "tuple", "generator"}


def _several(schema: Mapping[str, Any]) -> tuple[dict[str, bool], bool]:
    """Which fields of a core schema are lists, by the names that they have in forms, and whether those of all other
    names are.
    """
    definitions: dict[str, Mapping[str, Any]] = {}
    lists: dict[str, bool] = {}
    others = False
    for root in _leaves(schema, definitions, frozenset()):
        for name, field in _fields(root):
            is_list = any(leaf["type"] in _LISTS for leaf in _leaves(field["schema"], definitions, frozenset()))
            for alias in (name, *_aliases(field.get("validation_alias"))):
                lists[alias] = lists.get(alias, False) or is_list
        if root["type"] == "dict" and "values_schema" in root:
            others = any(leaf["type"] in _LISTS for leaf in _leaves(root["values_schema"], definitions, frozenset()))
    return lists, others


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    fields = schema.get("fields", ())
    if isinstance(fields, Mapping):
        yield from fields.items()
    else:
        for field in fields:
            yield field["name"], field


def _aliases(alias: Any) -> Iterator[str]:
    """The names of forms' fields in a `validation_alias`: a name, a path, or a list of paths."""
    if isinstance(alias, str):
        yield alias
    elif alias:
        paths = [alias] if isinstance(alias[0], str) else alias
        for path in paths:
            yield path[0]


def _leaves(
    schema: Mapping[str, Any], definitions: dict[str, Mapping[str, Any]], seen: frozenset[str]
) -> Iterator[Mapping[str, Any]]:
    """The schemas that say what a value is, within those that wrap them, such as defaults, functions and unions."""
    kind = schema["type"]
    if kind == "definitions":
        definitions.update((each["ref"], each) for each in schema["definitions"])
    inner: list[Any]
    if kind == "definition-ref":
        ref = schema["schema_ref"]
        inner = [] if ref in seen else [definitions[ref]]
        seen |= {ref}
    elif kind == "union":
        inner = [each[0] if isinstance(each, tuple) else each for each in schema["choices"]]
    elif kind == "tagged-union":
        inner = list(schema["choices"].values())
    elif kind == "lax-or-strict":
        inner = [schema["lax_schema"]]
    elif kind == "json-or-python":
        inner = [schema["json_schema"]]
    elif kind == "chain":
        inner = schema["steps"][:1]
    elif "schema" in schema:
        inner = [schema["schema"]]
    else:
        yield schema
        return
    for each in inner:
        yield from _leaves(each, definitions, seen)
