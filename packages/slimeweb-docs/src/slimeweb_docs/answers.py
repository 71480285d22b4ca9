"""The `responses` of an operation (OpenAPI 3.1, section 4.8.16)."""

from __future__ import annotations

import collections.abc
import types
import typing
from dataclasses import dataclass
from typing import Any

from slimeweb import RouteSpec
from slimeweb_docs.annotations import describe
from slimeweb_docs.components import Components
from slimeweb_docs.definitions import Schema
from slimeweb_docs.documentation import Documentation
from slimeweb_docs.errors import SchemaError
from slimeweb_docs.handler import returned
from slimeweb_docs.response_type import SlimeResponseType

__all__ = ["is_websocket", "responses"]

_OTHER = {"description": "Any other answer, such as an error"}


@dataclass(frozen=True, slots=True)
class _Body:
    media_type: str
    schema: Schema | None = None


def is_websocket(route: RouteSpec, said: Documentation | None) -> bool:
    """Whether a route's connections switch to WebSocket. Route options tell; whose they are does not matter."""
    return bool(route.options.get("ws")) or (
        said is not None and said.response_type is SlimeResponseType.WebSocketResponse
    )


def responses(route: RouteSpec, method: str, said: Documentation | None, components: Components) -> dict[str, Any]:
    """What a route answers with.

    It is never more than is known: handlers decide for themselves, so `default` stands for all that is not.
    """
    if is_websocket(route, said):
        return {
            "101": {"description": "The connection speaks WebSocket from here on (RFC 6455)"},
            "426": {"description": "The request does not ask for WebSocket"},
            "default": _OTHER,
        }
    answer: dict[str, Any] = {"description": "The handler's answer"}
    body = _body(route, said, components)
    if body is not None and method != "head":
        answer["content"] = {body.media_type: {"schema": body.schema} if body.schema is not None else {}}
    return {"200": answer, "default": _OTHER}


def _body(route: RouteSpec, said: Documentation | None, components: Components) -> _Body | None:
    kind = said.response_type if said is not None else None
    stream = route.options.get("stream")
    if stream:
        # A schema of an event stream would be one of its events, of which the route's option says nothing.
        is_events = str(stream).startswith("text/event-stream")
        return _Body(str(stream), None if is_events else {"type": "string"})
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
