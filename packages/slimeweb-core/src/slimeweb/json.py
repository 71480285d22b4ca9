"""JSON as slimeweb writes it, and what JSON does not know in terms that it does."""

from __future__ import annotations

import dataclasses
import sys
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from os import PathLike, fspath
from typing import Any
from uuid import UUID

from slimeweb._core import json_dumps

__all__ = ["default", "to_json"]


def to_json(value: Any) -> bytes:
    """A value as JSON text in UTF-8, as `resp.json` sends it.

    `TypeError` or `ValueError` names the place that JSON cannot hold.
    """
    return json_dumps(value, default)


def default(value: Any) -> Any:
    """The stand-in for a value that is not a JSON type, for `json_dumps(value, default)`. `TypeError` when there is
    none.

    Dataclasses become objects by their fields, pydantic models by `model_dump(mode="json")`, msgspec's Structs by
    `to_builtins`, dates and times ISO 8601 text, UUID, Decimal and paths text, sets lists, and an enum its value.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return dump(mode="json")
    msgspec = sys.modules.get("msgspec")
    if msgspec is not None and isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
        case Enum():
            return value.value
        case set() | frozenset():
            return list(value)
        case PathLike():
            return fspath(value)
    raise TypeError(f"{type(value).__name__} has no JSON form: make it a dict, a list, a str or a number first")
