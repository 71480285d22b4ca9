"""The `responses` of an operation (OpenAPI 3.1, section 4.8.16)."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from slimeweb import RouteSpec
from slimeweb_docs.annotations import describe
from slimeweb_docs.components import Components
from slimeweb_docs.definitions import Schema
from slimeweb_docs.documentation import Documentation
from slimeweb_docs.errors import SchemaError
from slimeweb_docs.handler import returned
from slimeweb_docs.merging import fill_in
from slimeweb_docs.response_type import SlimeResponseType

__all__ = ["is_websocket", "responses"]

_OTHER = "Any other answer, such as an error"


@dataclass(frozen=True, slots=True)
class _Body:
    media_type: str
    schema: Schema | None = None


def is_websocket(said: Documentation | None) -> bool:
    """Whether the documentation says that a route's connections switch to WebSocket."""
    return said is not None and said.response_type is SlimeResponseType.WebSocketResponse


def responses(
    route: RouteSpec, method: str, said: Documentation | None, components: Components, given: Mapping[str, Any]
) -> dict[str, Any]:
    """What a route answers with; `given` is what plugins say of it.

    It is never more than is known: handlers decide for themselves, so `default` stands for all that is not.
    """
    found = _known(route, said, components, given)
    for status, response in given.items():
        known = found.get(status)
        if known is not None and response is None:
            del found[status]
        elif known is not None and "description" in response:
            # Ours only says that there is an answer.
            known["description"] = response["description"]
    fill_in(found, given)
    for status, response in found.items():
        if method == "head":
            response.pop("content", None)
        if "description" not in response and "$ref" not in response:
            response["description"] = _phrase(status)
    default = found.pop("default", None)
    return found if default is None else {**found, "default": default}


def _known(
    route: RouteSpec, said: Documentation | None, components: Components, given: Mapping[str, Any]
) -> dict[str, Any]:
    if is_websocket(said):
        return {
            "101": {"description": "The connection speaks WebSocket from here on (RFC 6455)"},
            "426": {"description": "The request does not ask for WebSocket"},
            "default": {"description": _OTHER},
        }
    answer: dict[str, Any] = {"description": "The handler's answer"}
    is_said = said is not None and said.response_type is not None and said.response_type.media_type is not None
    # An annotation is a guess at the body's form; a plugin that gives it one knows.
    if is_said or not ("200" in given and (given["200"] is None or "content" in given["200"])):
        body = _body(route, said, components)
        if body is not None:
            answer["content"] = {body.media_type: {"schema": body.schema} if body.schema is not None else {}}
    return {"200": answer, "default": {"description": _OTHER}}


def _phrase(status: str) -> str:
    """What OpenAPI wants each response to have, where nobody has said more."""
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return "An answer"


def _body(route: RouteSpec, said: Documentation | None, components: Components) -> _Body | None:
    kind = said.response_type if said is not None else None
    if kind is SlimeResponseType.StreamResponse:
        return _Body("application/octet-stream")
    if said is not None and said.schema.response is not None:
        media_type = kind.media_type if kind is not None else None
        return _Body(media_type or "application/json", components.adopt(describe(said.schema.response, output=True)))
    found = _annotated(route, components)
    if kind is None:
        return found or (_Body("application/json") if said is not None else None)
    if found is not None and found.media_type == kind.media_type:
        return found
    text = kind.media_type is not None and kind.media_type.startswith("text/")
    return _Body(kind.media_type or "*/*", {"type": "string"} if text else None)


def _annotated(route: RouteSpec, components: Components) -> _Body | None:
    """What the handler's return annotation says, where slimeweb makes one certain kind of body of such a value."""
    annotation = returned(route.handler)
    if annotation is str:
        return _Body("text/plain", {"type": "string"})
    if annotation is None or not _becomes_json(annotation):
        return None
    try:
        return _Body("application/json", components.adopt(describe(annotation, output=True)))
    except SchemaError:
        # Annotations serve other purposes as well: one that says nothing here is no mistake.
        return _Body("application/json")


def _becomes_json(annotation: Any) -> bool:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return all(map(_becomes_json, typing.get_args(annotation)))
    cls = typing.get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return False
    if typing.is_typeddict(cls) or issubclass(cls, collections.abc.Mapping | list | collections.abc.MutableSequence):
        return True
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "model_dump")
