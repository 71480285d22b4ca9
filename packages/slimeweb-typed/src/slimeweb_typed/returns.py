"""What a typed handler returns, as JSON of its return type."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError

from slimeweb import SlimeResponse
from slimeweb_typed import shapes
from slimeweb_typed.errors import InvalidReturn
from slimeweb_typed.parameters import MISSING

__all__ = ["Answer", "answer_of", "json_type_of"]

Answer = Callable[[Any, Any], Any]
"""Takes a response and what the handler has returned, and returns what that stands for."""

_RAW = (str, bytes, bytearray, memoryview)
_STREAMS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)


def json_type_of(annotation: Any) -> Any:
    """The part of a return type that becomes JSON: without `None`, responses, text and bytes. `MISSING` where nothing
    is left, or where the type says nothing.
    """
    if annotation in (MISSING, Any, object, types.NoneType, typing.Never, typing.NoReturn):
        return MISSING
    outer = shapes.unwrapped(annotation)
    members = shapes.members_of(outer)
    kept = [each for each in members if not _is_sent_as_it_is(each)]
    if len(kept) == len(members):
        return annotation if not shapes.may_be_none(annotation) else outer
    return typing.Union[tuple(kept)] if kept else MISSING  # noqa: UP007 -- the members are data


def answer_of(annotation: Any, where: str) -> Answer | None:
    """What answers with values of a return type; `None` where core does. `where` names the handler. `TypeError` for a
    type that has no JSON.

    `None`, a response and, where they are part of the type, text and bytes are sent as they always are.
    """
    json_type = json_type_of(annotation)
    if json_type is MISSING:
        return None
    encode, failures = _encoder(json_type)
    passed = tuple(each for each in shapes.members_of(shapes.unwrapped(annotation)) if each in _RAW)
    may_be_none = shapes.may_be_none(annotation)

    def answer(resp: Any, value: Any) -> Any:
        if value is None and (may_be_none or resp.is_set):
            return None
        if value is resp or isinstance(value, passed) or not isinstance(resp, SlimeResponse):
            return value
        try:
            data = encode(value)
        except failures as error:
            raise InvalidReturn(f"{where} returned what is no {_shown(annotation)}: {_reason(error)}") from None
        return resp.bytes(data, content_type="application/json")

    return answer


def _encoder(json_type: Any) -> tuple[Callable[[Any], bytes], tuple[type[Exception], ...]]:
    if shapes.is_msgspec(json_type):
        import msgspec

        encoder = msgspec.json.Encoder()

        def encode_struct(value: Any) -> bytes:
            # What is of a derived class becomes what the type says, as anything else with such attributes does.
            return encoder.encode(msgspec.convert(value, json_type, from_attributes=True))

        return encode_struct, (msgspec.ValidationError, TypeError)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(json_type)
    except PydanticUserError as error:
        raise TypeError(str(error).splitlines()[0]) from error
    validate, dump = adapter.validator.validate_python, adapter.serializer.to_json

    def encode(value: Any) -> bytes:
        return dump(validate(value, from_attributes=True), warnings="error")

    return encode, (ValidationError, PydanticSerializationError)


def _is_sent_as_it_is(member: Any) -> bool:
    origin = typing.get_origin(member) or member
    return origin in _RAW or origin in _STREAMS or shapes.is_response(origin) or hasattr(origin, "__html__")


def _shown(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or str(annotation)


def _reason(error: Exception) -> str:
    """What is wrong, without the value: the log is no place for it."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the value'}: {each['msg']}" for each in found)
    if isinstance(error, PydanticSerializationError):
        return str(error).partition(", input_value")[0]
    return str(error)
