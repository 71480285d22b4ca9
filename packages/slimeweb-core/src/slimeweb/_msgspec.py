"""Validation by msgspec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from slimeweb._validator import Validator, steps_in
from slimeweb.errors import ConfigError, FieldError, Place, field_error

__all__ = ["MsgspecValidator"]

T = TypeVar("T")


class MsgspecValidator(Validator[T]):
    """Checks values against one type that msgspec knows."""

    # Deep nesting is a RecursionError, and a key that is not UTF-8 a UnicodeDecodeError.
    failures = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

    def __init__(self, kind: type[T] | Any) -> None:
        try:
            self.decode = msgspec.json.Decoder(kind).decode
            self._lists, self._others = _several(inspect.type_info(kind))
        except (TypeError, NameError) as error:
            raise ConfigError(f"{kind!r} is no type that msgspec can check: {error}") from error
        self.convert = partial(msgspec.convert, type=kind, strict=False)

    def takes_several(self, name: str) -> bool:
        return self._lists.get(name, self._others)

    def is_syntax(self, failure: Exception) -> bool:
        return not isinstance(failure, msgspec.ValidationError)

    def count(self, failure: Exception) -> int:
        return 1

    def errors(
        self, failure: Exception, place: Place, loc: Sequence[str | int] = (), value: object = None
    ) -> Iterator[FieldError]:
        message, found, path = str(failure).rpartition(" - at `$")
        if not found:
            message, path = str(failure), ""
        # `[...]` is a key, or an item of a set, that msgspec does not tell.
        path, unknown, _ = path.partition("[...]")
        within: list[str | int] = [int(index) if index else name for name, index in _STEP.findall(path)]
        kind, detail, name = _readable(message)
        if name is not None and not unknown:
            within.append(name)
        pointer = (*loc, *steps_in(value, within, is_missing=kind == "missing"))
        yield field_error(place, (*loc, *within), detail, kind, pointer=pointer)


# `$.items[0].name`
_STEP = re.compile(r"\.([^.\[`]+)|\[(\d+)\]")
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


def _readable(message: str) -> tuple[str, str, str | None]:
    """The kind of an error, what is said of it without what the client sent, and the field that it is about, where the
    path does not have that.
    """
    if match := _MISSING.fullmatch(message):
        return "missing", "Field required", match[1]
    if match := _UNKNOWN.fullmatch(message):
        return "extra_forbidden", "Extra inputs are not permitted", match[1]
    if message.startswith("Invalid enum value "):
        return "enum", "Not one of the values that are allowed", None
    if message.startswith("Invalid value "):
        return "tag", "Not one of the tags that are allowed", None
    if message.startswith("Expected "):
        return "type", message.replace("`", ""), None
    return "value_error", message, None


_LISTS = (
    inspect.ListType,
    inspect.SetType,
    inspect.FrozenSetType,
    inspect.VarTupleType,
    inspect.TupleType,
    inspect.CollectionType,
)


def _several(kind: inspect.Type) -> tuple[dict[str, bool], bool]:
    """Which fields of a type are lists, by the names that they have in forms, and whether those of all other names
    are.
    """
    lists: dict[str, bool] = {}
    others = False
    for each in _arms(kind):
        for field in getattr(each, "fields", ()):
            lists[field.encode_name] = lists.get(field.encode_name, False) or _is_list(field.type)
        if isinstance(each, inspect.DictType):
            others = _is_list(each.value_type)
    return lists, others


def _arms(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _arms(each)
    elif isinstance(kind, inspect.Metadata):
        yield from _arms(kind.type)
    else:
        yield kind


def _is_list(kind: inspect.Type) -> bool:
    return any(isinstance(each, _LISTS) for each in _arms(kind))
