"""How the values of one parameter are checked: by pydantic, and not at all where the request has them in their type."""

from __future__ import annotations

import enum
import typing
import uuid
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from slimeweb.errors import ConfigError
from slimeweb.validation import Validator, validator_of
from slimeweb_typed import shapes
from slimeweb_typed.markers import ApiKey, BaseValue, Bearer
from slimeweb_typed.parameters import MISSING, Parameter, Path

__all__ = ["check_of", "described_type"]

_CONSTRAINTS = ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
_KINDS: dict[str, type] = {"int": int, "float": float, "uuid": uuid.UUID, "str": str, "path": str}
_AS_THEY_ARE = (MISSING, Any, object)


def described_type(parameter: Parameter) -> Any:
    """The type of a parameter with the limits of its marker."""
    source, annotation = parameter.source, parameter.annotation
    limits = {name: getattr(source, name) for name in _CONSTRAINTS} if isinstance(source, BaseValue) else {}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    return Annotated[annotation, Field(**limits)] if limits else annotation


def check_of(parameter: Parameter) -> Validator[Any] | None:
    """What makes a parameter's value of the text, or of the list of texts, that a request has; `None` where it is one
    already. `TypeError` for a type that no value can be made of.
    """
    if not isinstance(parameter.source, Path | BaseValue | Bearer | ApiKey):
        return None
    described = described_type(parameter)
    given = _KINDS[parameter.source.kind] if isinstance(parameter.source, Path) else str
    if any(described is each for each in _AS_THEY_ARE) or described is given:
        return None
    if described == list[str] or (described is list and given is str):
        return None
    try:
        return validator_of(_of_text(described))
    except ConfigError as error:
        raise TypeError(f"text does not become {_shown(parameter.annotation)}") from error


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)


def _of_text(described: Any) -> Any:
    """A type whose numbers may be given as text, also where only some are allowed."""
    plain = shapes.unwrapped(described)
    values: tuple[Any, ...] = ()
    if typing.get_origin(plain) is typing.Literal:
        values = typing.get_args(plain)
    elif isinstance(plain, type) and issubclass(plain, enum.Enum):
        values = tuple(each.value for each in plain)
    numbers = {str(each): each for each in values if not isinstance(each, str)}
    if not numbers:
        return described

    def read(value: Any) -> Any:
        return numbers.get(value, value) if isinstance(value, str) else value

    return Annotated[described, BeforeValidator(read)]
