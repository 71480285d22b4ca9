"""From Python's annotations to JSON schemas (JSON Schema 2020-12, which OpenAPI 3.1 uses)."""

from __future__ import annotations

import collections.abc
import datetime
import decimal
import enum
import inspect
import json
import pathlib
import types
import typing
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from slimeweb.json import to_json
from slimeweb_docs import pydantic_models
from slimeweb_docs.definitions import REF, Definition, Described, Schema, component_name
from slimeweb_docs.errors import SchemaError
from slimeweb_docs.fields import MISSING, Field, fields_of, hints_of, resolved

__all__ = ["describe"]

# The order counts for subclasses: a bool is an int, a datetime is a date.
_SCALARS: tuple[tuple[type, Schema], ...] = (
    (bool, {"type": "boolean"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (str, {"type": "string"}),
    (bytes, {"type": "string", "format": "binary"}),
    (decimal.Decimal, {"type": "string", "format": "decimal"}),
    (datetime.datetime, {"type": "string", "format": "date-time"}),
    (datetime.date, {"type": "string", "format": "date"}),
    (datetime.time, {"type": "string", "format": "time"}),
    (datetime.timedelta, {"type": "string", "format": "duration"}),
    (uuid.UUID, {"type": "string", "format": "uuid"}),
    (pathlib.PurePath, {"type": "string"}),
    (types.NoneType, {"type": "null"}),
)
_TRANSPARENT = frozenset({"Required", "NotRequired", "ReadOnly", "Final"})


def describe(annotation: Any, *, output: bool = False) -> Described:
    """The schema of a type, and of the classes it refers to.

    Knows scalars, lists and dicts, tuples, unions, `Literal`, enums, dates, UUIDs, classes with annotated fields,
    dataclasses, TypedDicts, NamedTuples, type aliases and pydantic models, generic and recursive ones too. `output`
    is for what an application sends, where pydantic makes a difference. `SchemaError` for what JSON has nothing for.
    """
    describer = _Describer(output)
    return Described(describer.of(annotation), describer.definitions)


class _Describer:
    """One walk through a type. Classes are noted before their fields are looked at, which ends recursion."""

    def __init__(self, output: bool) -> None:
        self.definitions: dict[str, Definition] = {}
        self._output = output

    def of(self, annotation: Any) -> Schema:
        if annotation in (Any, object):
            return {}
        if annotation is None:
            return {"type": "null"}
        if isinstance(annotation, typing.NewType):
            return self.of(annotation.__supertype__)
        if isinstance(annotation, TypeVar):
            return self.of(annotation.__bound__ or _union(annotation.__constraints__))
        if _is_alias(annotation):
            return self._alias(annotation, ())
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is None:
            return self._class(annotation, ())
        if origin is typing.Annotated:
            return {**self.of(arguments[0]), **_documentation(arguments[1:])}
        if origin in (typing.Union, types.UnionType):
            return self._any_of(arguments)
        if origin is Literal:
            return _one_of([value.value if isinstance(value, enum.Enum) else value for value in arguments])
        if getattr(origin, "_name", None) in _TRANSPARENT:
            return self.of(arguments[0])
        if _is_alias(origin):
            return self._alias(origin, arguments)
        return self._class(origin, arguments)

    def _class(self, cls: Any, arguments: tuple[Any, ...]) -> Schema:
        if not isinstance(cls, type):
            raise SchemaError(f"{cls!r} has no JSON schema: use a class, or a type such as list[str]")
        if issubclass(cls, enum.Enum):
            return self._refer(cls, (), lambda: {**_one_of([each.value for each in cls]), **_docstring(cls)})
        for scalar, schema in _SCALARS:
            if issubclass(cls, scalar):
                return dict(schema)
        if pydantic_models.is_pydantic(cls):
            return self._pydantic(cls)
        if issubclass(cls, tuple):
            return self._tuple(cls, arguments)
        if typing.is_typeddict(cls):
            return self._refer(cls, arguments, lambda: self._object(cls, arguments))
        if issubclass(cls, collections.abc.Mapping):
            values = self.of(arguments[1]) if len(arguments) == 2 else {}
            return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
        if issubclass(cls, collections.abc.Iterable) and not _has_fields(cls):
            array: Schema = {"type": "array", "items": self.of(arguments[0]) if arguments else {}}
            return {**array, "uniqueItems": True} if issubclass(cls, collections.abc.Set) else array
        if cls.__module__ == "builtins" or cls is collections.abc.Callable:
            raise SchemaError(f"{cls.__qualname__} has no JSON form: use a type that has one")
        return self._refer(cls, arguments, lambda: self._object(cls, arguments))

    def _object(self, cls: type, arguments: tuple[Any, ...]) -> Schema:
        fields = fields_of(cls)
        properties = {field.name: self._field(cls, field, arguments) for field in fields}
        schema: Schema = {"type": "object", **_docstring(cls), "properties": properties}
        required = [field.name for field in fields if field.required]
        return {**schema, "required": required} if required else schema

    def _field(self, cls: type, field: Field, arguments: tuple[Any, ...]) -> Schema:
        try:
            schema = self.of(_substituted(cls, field.annotation, arguments))
        except SchemaError as error:
            raise SchemaError(f"{cls.__qualname__}.{field.name}: {error}") from error
        return {**schema, **_default(field.default)}

    def _tuple(self, cls: type, arguments: tuple[Any, ...]) -> Schema:
        names = getattr(cls, "_fields", None)
        if names is not None:
            hints = hints_of(cls)
            arguments = tuple(hints.get(name, Any) for name in names)
        if len(arguments) == 2 and arguments[1] is ...:
            return {"type": "array", "items": self.of(arguments[0])}
        if not arguments:
            return {"type": "array", "items": {}}
        items = [self.of(each) for each in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    def _any_of(self, members: Iterable[Any]) -> Schema:
        schemas: list[Schema] = []
        for schema in map(self.of, members):
            if schema not in schemas:
                schemas.append(schema)
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _pydantic(self, cls: type) -> Schema:
        key = _key(cls, ())
        if key not in self.definitions:
            self.definitions |= pydantic_models.define(cls, key, self._output)
        return {"$ref": f"{REF}{key}"}

    def _alias(self, alias: Any, arguments: tuple[Any, ...]) -> Schema:
        value = resolved(alias.__value__, alias.__module__)
        parameters = alias.__type_params__
        if arguments and getattr(value, "__parameters__", ()):
            known = dict(zip(parameters, arguments, strict=False))
            value = value[tuple(known.get(each, each) for each in value.__parameters__)]
        return self._refer(alias, arguments, lambda: self.of(value))

    def _refer(self, named: Any, arguments: tuple[Any, ...], build: typing.Callable[[], Schema]) -> Schema:
        key = _key(named, arguments)
        if key not in self.definitions:
            name = component_name("_".join([named.__name__, *map(_spoken, arguments)]))
            self.definitions[key] = Definition(name, {})
            self.definitions[key] = Definition(name, build())
        return {"$ref": f"{REF}{key}"}


def _has_fields(cls: type) -> bool:
    try:
        return bool(inspect.get_annotations(cls))
    except NameError:
        # From Python 3.14 on they are evaluated here, and may name what does not exist yet.
        return True


def _is_alias(annotation: Any) -> bool:
    # The class is in `typing` from Python 3.12 on, and in typing_extensions for those before.
    return type(annotation).__name__ == "TypeAliasType"


def _key(named: Any, arguments: tuple[Any, ...]) -> str:
    # Two classes made by one function have one qualified name: the number keeps them apart.
    return f"{named.__module__}.{getattr(named, '__qualname__', named.__name__)}@{id(named)}{list(arguments)!r}"


def _spoken(argument: Any) -> str:
    return getattr(argument, "__name__", None) or repr(argument)


def _substituted(cls: type, annotation: Any, arguments: tuple[Any, ...]) -> Any:
    """The annotation of a generic class's field, with the class's type variables replaced by what it was given."""
    known: Mapping[Any, Any] = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    if isinstance(annotation, TypeVar):
        return known.get(annotation, annotation)
    free = getattr(annotation, "__parameters__", ())
    if not known or not free or isinstance(annotation, type):
        return annotation
    return annotation[tuple(known.get(each, each) for each in free)]


def _union(members: tuple[Any, ...]) -> Any:
    return typing.Union[members] if members else Any  # noqa: UP007 -- the members are data


def _one_of(values: list[Any]) -> Schema:
    values = [_plain(value) for value in values]
    kinds = {_kind(value) for value in values}
    schema: Schema = {"const": values[0]} if len(values) == 1 else {"enum": values}
    return {"type": kinds.pop(), **schema} if len(kinds) == 1 and None not in kinds else schema


def _kind(value: Any) -> str | None:
    for scalar, schema in _SCALARS:
        if isinstance(value, scalar):
            kind: str = schema["type"]
            return kind
    return None


def _plain(value: Any) -> Any:
    return json.loads(to_json(value))


def _default(value: Any) -> Schema:
    if value is MISSING:
        return {}
    try:
        return {"default": _plain(value)}
    except (TypeError, ValueError):
        # A default that JSON cannot hold is still one: the field is not required, and no more can be said.
        return {}


def _docstring(cls: type) -> Schema:
    text = cls.__dict__.get("__doc__") or ""
    # A dataclass without a docstring has its signature there, an enum of Python 3.11 a sentence of Python's own.
    if not text or text.startswith(f"{cls.__name__}(") or text == "An enumeration.":
        return {}
    return {"description": inspect.cleandoc(text)}


def _documentation(metadata: tuple[Any, ...]) -> Schema:
    """What `Annotated[int, Doc("…")]` says (PEP 727)."""
    for each in metadata:
        text = getattr(each, "documentation", None)
        if isinstance(text, str):
            return {"description": text}
    return {}
