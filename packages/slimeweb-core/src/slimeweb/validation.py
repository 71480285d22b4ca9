"""Values of requests checked against types: msgspec's types by msgspec, all others by pydantic."""

from __future__ import annotations

import sys
from typing import Any, TypeVar, get_args

from slimeweb._validator import Validator
from slimeweb.errors import ConfigError

__all__ = ["Validator", "validator_of"]

T = TypeVar("T")


def validator_of(kind: type[T] | Any) -> Validator[T]:
    """The validator of a type: a pydantic model, a msgspec Struct, a dataclass, a TypedDict, `int`, `list[Student]`,
    `Annotated[int, Field(ge=1)]` and so on.

    `ConfigError` for what is no type that can be checked, and where pydantic, or msgspec, is not installed.
    """
    if _has_struct(kind):
        from slimeweb._msgspec import MsgspecValidator

        return MsgspecValidator(kind)
    # Here and not above: an application that never validates does without pydantic.
    try:
        from slimeweb._pydantic import PydanticValidator
    except ImportError as error:
        raise ConfigError(
            f"{kind!r} is checked by pydantic, which is not installed: pip install pydantic (or declare it as a "
            "msgspec.Struct)"
        ) from error
    return PydanticValidator(kind)


def _has_struct(kind: Any) -> bool:
    """Whether a type is a msgspec Struct, or has one in it: `list[Student]`, `Student | None`."""
    msgspec = sys.modules.get("msgspec")
    if msgspec is None:
        return False
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return True
    return any(_has_struct(each) for each in get_args(kind))
