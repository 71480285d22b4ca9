"""What an OpenAPI document says of typed handlers, by the hooks of slimeweb-docs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from slimeweb_typed import shapes
from slimeweb_typed.checks import described_type
from slimeweb_typed.markers import ApiKey, Bearer, Body, Cookie, File, Form, Header, Query
from slimeweb_typed.parameters import MISSING, Parameter, Path
from slimeweb_typed.returns import json_type_of

__all__ = ["operation", "security_schemes"]

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_JSON = "application/json"
_PROBLEM = "application/problem+json"

_ERRORS: dict[str, Any] = {
    "type": "object",
    "required": ["title", "status", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["in", "loc", "detail", "type"],
                "properties": {
                    "in": {"type": "string"},
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "pointer": {"type": "string"},
                    "detail": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        },
    },
}


def operation(parameters: Iterable[Parameter], returns: Any) -> Mapping[str, Any]:
    """The parts of an operation that a handler's parameters and its return type tell."""
    given = list(parameters)
    found: dict[str, Any] = {"responses": _responses(given, returns)}
    listed = [_parameter(each) for each in given if _place(each)]
    if listed:
        found["parameters"] = listed
    body = _request_body(given)
    if body is not None:
        found["requestBody"] = body
    security = [_security(each) for each in given if isinstance(each.source, Bearer | ApiKey)]
    if security:
        # All of them are asked for at once; one that may be left out is an alternative to nothing.
        needed = {name: scopes for each, scheme in security if each for name, scopes in scheme.items()}
        every = {name: scopes for _, scheme in security for name, scopes in scheme.items()}
        found["security"] = [every] if needed == every else [every, needed]
    return found


def security_schemes(parameters: Iterable[Parameter]) -> Mapping[str, Any]:
    """The security schemes of a document, by their names."""
    found: dict[str, Any] = {}
    for each in parameters:
        match each.source:
            case Bearer(scheme=name, format=form):
                found[name] = {"type": "http", "scheme": "bearer", **({"bearerFormat": form} if form else {})}
            case ApiKey(scheme=name) as key:
                place = "query" if key.query is not None else "cookie" if key.cookie is not None else "header"
                found[name] = {"type": "apiKey", "in": place, "name": key.query or key.cookie or key.header}
    return found


def _place(parameter: Parameter) -> str | None:
    match parameter.source:
        case Path() if parameter.annotation is not MISSING:
            return "path"
        case Query():
            return "query"
        case Header():
            return "header"
        case Cookie():
            return "cookie"
    return None


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found = {
        "name": parameter.key,
        "in": _place(parameter),
        "required": parameter.is_required,
        "schema": _schema(parameter),
    }
    return {**found, **_description(parameter)}


def _description(parameter: Parameter) -> dict[str, Any]:
    text = getattr(parameter.source, "description", "")
    return {"description": text} if text else {}


def _schema(parameter: Parameter) -> dict[str, Any]:
    schema = _inlined(TypeAdapter(described_type(parameter)).json_schema())
    # Absence is what stands for None here: text is never null.
    members = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(members) == 1:
        schema = {**{name: value for name, value in schema.items() if name != "anyOf"}, **members[0]}
    if parameter.default is not MISSING and parameter.default is not None:
        # One that JSON cannot hold is still a default: no more can be said.
        with suppress(PydanticSerializationError):
            schema["default"] = to_jsonable_python(parameter.default)
    return schema


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without definitions of its own, which a document has elsewhere: enums and the like are short."""
    definitions = schema.pop("$defs", {})

    def resolve(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix("#/$defs/")
            if name in definitions:
                return resolve(definitions[name])
            return {key: resolve(each) for key, each in value.items()}
        return [resolve(each) for each in value] if isinstance(value, list) else value

    found: dict[str, Any] = resolve(schema)
    return found


def _request_body(parameters: list[Parameter]) -> dict[str, Any] | None:
    whole = next((each for each in parameters if _is_whole_body(each)), None)
    if whole is not None:
        media = [_FORM, _MULTIPART] if isinstance(whole.source, Form) else [_JSON]
        content = {each: {"schema": whole.annotation} for each in media}
        return {"required": whole.is_required, "content": content, **_description(whole)}
    fields = [each for each in parameters if isinstance(each.source, Form | File)]
    if not fields:
        return None
    schema: dict[str, Any] = {"type": "object", "properties": {each.key: _field(each) for each in fields}}
    required = [each.key for each in fields if each.is_required]
    if required:
        schema["required"] = required
    media = [_MULTIPART] if any(isinstance(each.source, File) for each in fields) else [_FORM, _MULTIPART]
    return {"required": bool(required), "content": {each: {"schema": schema} for each in media}}


def _is_whole_body(parameter: Parameter) -> bool:
    source = parameter.source
    return isinstance(source, Body) or (isinstance(source, Form) and shapes.is_body(parameter.annotation))


def _field(parameter: Parameter) -> dict[str, Any]:
    if not isinstance(parameter.source, File):
        return {**_schema(parameter), **_description(parameter)}
    one = {"type": "string", "format": "binary"}
    schema = {"type": "array", "items": one} if shapes.is_list(parameter.annotation) else one
    return {**schema, **_description(parameter)}


def _responses(parameters: list[Parameter], returns: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    json_type = json_type_of(returns)
    if json_type is not MISSING:
        found["200"] = {"content": {_JSON: {"schema": json_type}}}
        if shapes.may_be_none(returns):
            found["204"] = {"description": "There is nothing to answer with"}
    sources = [each.source for each in parameters]
    if any(isinstance(each, Bearer | ApiKey) for each in sources):
        found["401"] = {"description": "There are no credentials"}
    if any(isinstance(each, Path | Query | Header | Cookie | Form | File | Body) for each in sources):
        found["422"] = {
            "description": "Values of the request do not fit",
            "content": {_PROBLEM: {"schema": _ERRORS}},
        }
    return found


def _security(parameter: Parameter) -> tuple[bool, dict[str, list[str]]]:
    assert isinstance(parameter.source, Bearer | ApiKey)
    return parameter.is_required, {parameter.source.scheme: []}
