"""What a type is made for: the body, a value of the query, a file, or nothing that comes with a request."""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from typing import Any

from slimeweb import SlimeFile, SlimeRequest, SlimeResponse
from slimeweb.routing import RouteResponse

__all__ = [
    "is_body",
    "is_file",
    "is_list",
    "is_model",
    "is_msgspec",
    "is_request",
    "is_response",
    "may_be_none",
    "members_of",
    "unwrapped",
]

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set, collections.abc.Iterable)


def unwrapped(annotation: Any) -> Any:
    """A type without `Annotated`, aliases, and `None` beside one other type."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif _is_union(annotation) and len(members := members_of(annotation)) == 1:
            annotation = members[0]
        else:
            return annotation


def may_be_none(annotation: Any) -> bool:
    """Whether `None` is one of the values of a type."""
    if typing.get_origin(annotation) is typing.Annotated:
        return may_be_none(typing.get_args(annotation)[0])
    return annotation in (None, types.NoneType) or (
        _is_union(annotation) and types.NoneType in typing.get_args(annotation)
    )


def is_model(annotation: Any) -> bool:
    """Whether a type has named fields: a model of pydantic or msgspec, a dataclass, a `TypedDict`; also a union of
    such.
    """
    annotation = unwrapped(annotation)
    if _is_union(annotation):
        return all(map(is_model, members_of(annotation)))
    cls = typing.get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return False
    return (
        typing.is_typeddict(cls)
        or dataclasses.is_dataclass(cls)
        or hasattr(cls, "__pydantic_validator__")
        or hasattr(cls, "__struct_fields__")
        or type(cls).__name__ == "_TypedDictMeta"
    )


def is_body(annotation: Any) -> bool:
    """Whether a type is that of a body: a model, a dict, or a list of such."""
    annotation = unwrapped(annotation)
    if _is_union(annotation):
        return any(map(is_body, members_of(annotation)))
    origin = typing.get_origin(annotation) or annotation
    if not isinstance(origin, type):
        return False
    if issubclass(origin, collections.abc.Mapping) or is_model(annotation):
        return True
    return origin in _LISTS and any(map(is_body, typing.get_args(annotation)))


def is_list(annotation: Any) -> bool:
    """Whether a type takes several values: a list, tuple or set."""
    annotation = unwrapped(annotation)
    return (typing.get_origin(annotation) or annotation) in _LISTS


def is_file(annotation: Any) -> bool:
    """Whether a type is that of an uploaded file, or of several."""
    annotation = unwrapped(annotation)
    return annotation is SlimeFile or (is_list(annotation) and SlimeFile in typing.get_args(annotation))


def is_request(annotation: Any) -> bool:
    """Whether a type is that of requests."""
    return annotation is SlimeRequest


def is_response(annotation: Any) -> bool:
    """Whether a type is that of responses, of whatever kind of route."""
    return isinstance(annotation, type) and issubclass(annotation, (SlimeResponse, RouteResponse))


def is_msgspec(annotation: Any) -> bool:
    """Whether a type is msgspec's, or one of such, as in `list[Struct]`."""
    return hasattr(annotation, "__struct_fields__") or any(map(is_msgspec, typing.get_args(annotation)))


def members_of(annotation: Any) -> tuple[Any, ...]:
    """The types of a union but `None`; of any other type that alone."""
    if not _is_union(annotation):
        return (annotation,)
    return tuple(each for each in typing.get_args(annotation) if each is not types.NoneType)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
