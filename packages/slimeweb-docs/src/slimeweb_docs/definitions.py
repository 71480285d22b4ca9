"""JSON schemas that refer to each other, by names that are theirs alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["REF", "Definition", "Described", "Schema", "component_name", "fingerprint", "with_refs"]

Schema = dict[str, Any]

REF = "#/$defs/"


@dataclass(frozen=True, slots=True)
class Definition:
    """A schema that others refer to, and the name it would like to have."""

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Described:
    """A schema with all that it refers to, directly or not, as `#/$defs/` and the key in `definitions`."""

    schema: Schema
    definitions: Mapping[str, Definition]


def component_name(name: str) -> str:
    """A class's name with nothing in it but what the name of a component may have (OpenAPI 3.1, section 4.8.7)."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_") or "Schema"


def with_refs(schema: Any, rename: Callable[[str], str]) -> Any:
    """A copy of a schema whose references are what `rename` makes of their keys."""
    if isinstance(schema, dict):
        return {name: with_refs(value, rename) for name, value in schema.items()}
    if isinstance(schema, list):
        return [with_refs(value, rename) for value in schema]
    # Not `$ref` alone: the mapping of a discriminator holds references as well.
    if isinstance(schema, str) and schema.startswith(REF):
        return rename(schema.removeprefix(REF))
    return schema


def fingerprint(key: str, definitions: Mapping[str, Definition]) -> str:
    """What a definition says, together with all that it refers to, whatever the keys are.

    Two that have the same one can share one name in a document.
    """
    numbers = {key: 0}
    queue = [key]

    def number(other: str) -> str:
        if other not in numbers:
            numbers[other] = len(numbers)
            queue.append(other)
        return f"{REF}{numbers[other]}"

    # The list grows while it is gone through: each definition is visited once.
    said = [[definitions[each].name, with_refs(definitions[each].schema, number)] for each in queue]
    return json.dumps(said, sort_keys=True, default=repr)
