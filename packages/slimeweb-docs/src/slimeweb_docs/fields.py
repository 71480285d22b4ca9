"""The fields of an annotated class: plain, dataclass or TypedDict."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from dataclasses import dataclass
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from slimeweb_docs.errors import SchemaError

__all__ = ["MISSING", "Field", "fields_of", "hints_of", "resolved"]

MISSING: Any = dataclasses.MISSING


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its annotation, whether it has to be there, and its default, `MISSING` where none is known."""

    name: str
    annotation: Any
    required: bool
    default: Any


def fields_of(cls: type) -> list[Field]:
    """The fields of a class, in order, inherited ones first. `SchemaError` for an annotation that does not resolve."""
    hints = {name: hint for name, hint in hints_of(cls).items() if not _is_no_field(hint)}
    if typing.is_typeddict(cls):
        required: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
        return [Field(name, hint, _is_required(hint, name in required), MISSING) for name, hint in hints.items()]
    if dataclasses.is_dataclass(cls):
        return [_of_dataclass(field, hints[field.name]) for field in dataclasses.fields(cls) if field.name in hints]
    return [_of_class(cls, name, hint) for name, hint in hints.items() if not name.startswith("_")]


def hints_of(cls: type) -> dict[str, Any]:
    """A class's annotations, with those given as text resolved. `SchemaError` when one cannot be."""
    try:
        # A class inside a function is not among its module's names, but it may refer to itself.
        return get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    except NameError as error:
        raise SchemaError(
            f"{cls.__module__}.{cls.__qualname__}: an annotation names {error.name!r}, which its module does not have: "
            "define it there, at the top level, or import it outside of `if TYPE_CHECKING`"
        ) from error
    except (TypeError, SyntaxError, AttributeError) as error:
        raise SchemaError(f"{cls.__module__}.{cls.__qualname__}: an annotation does not resolve: {error}") from error


def resolved(annotation: Any, module: str) -> Any:
    """An annotation in which names given as text are looked up in a module. `SchemaError` when one is not there."""
    holder = type("annotation", (), {"__annotations__": {"value": annotation}, "__module__": module})
    return hints_of(holder)["value"]


def _of_class(cls: type, name: str, annotation: Any) -> Field:
    default = inspect.getattr_static(cls, name, MISSING)
    # What is there may be the slot itself, or a property, and not what the field is by default.
    if hasattr(type(default), "__get__"):
        default = MISSING
    return Field(name, annotation, default is MISSING, default)


def _of_dataclass(field: dataclasses.Field[Any], annotation: Any) -> Field:
    required = field.default is MISSING and field.default_factory is MISSING
    return Field(field.name, annotation, required, field.default)


def _is_no_field(hint: Any) -> bool:
    return hint is ClassVar or get_origin(hint) is ClassVar or isinstance(hint, dataclasses.InitVar)


def _is_required(hint: Any, otherwise: bool) -> bool:
    # In a module whose annotations are text, a TypedDict has not seen its own Required and NotRequired.
    while get_origin(hint) is typing.Annotated:
        hint = get_args(hint)[0]
    origin = get_origin(hint)
    name = getattr(origin, "_name", None)
    return {"Required": True, "NotRequired": False}.get(name or "", otherwise)
