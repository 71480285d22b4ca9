"""What a documented route takes: `SlimeSchema`, and its parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["BodySchema", "QuerySchema", "SlimeSchema"]


@dataclass(frozen=True, slots=True)
class BodySchema:
    """A request's body: `BodySchema(schema_name=User)`.

    `schema_name` is a class with annotated fields, a dataclass, a TypedDict, a pydantic model, or any other type that
    JSON can hold, such as `list[User]`. `content_type` is the body's media type,
    `description` is in CommonMark. `TypeError` for what is not a type.
    """

    schema_name: Any
    content_type: str = "application/json"
    description: str = ""

    def __post_init__(self) -> None:
        """Refuses what is not a type at its own line rather than when the application starts."""
        check_type("BodySchema(schema_name=…)", self.schema_name)


@dataclass(frozen=True, slots=True)
class QuerySchema:
    """A parameter of a request's query: `QuerySchema(name="page", type=int, required=False)`.

    `name` is the parameter's; `type` any that JSON can hold, of which a list, such as `list[str]`, is a parameter that
    may come several times. `required` says whether requests have to have it, `description` is in CommonMark.
    `TypeError` for what is not a type, `ValueError` for an empty name.
    """

    name: str
    type: Any = str
    required: bool = True
    description: str = ""

    def __post_init__(self) -> None:
        """Refuses at its own line what could not be described when the application starts."""
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"QuerySchema(name={self.name!r}): use the parameter's name, such as 'page'")
        check_type(f"QuerySchema(name={self.name!r}, type=…)", self.type)


@dataclass(frozen=True, slots=True)
class SlimeSchema:
    """What a route takes and gives: `query`, the parameters of its query, `body`, its body, and `response`, the type of
    its JSON answer.

    Where `body` is not given, it is what the handler gives to `req.validate` that counts, where `response` is not, the
    handler's return annotation. `TypeError` for a part of the wrong kind, `ValueError` for two query parameters of one
    name.
    """

    query: Iterable[QuerySchema] | None = None
    body: BodySchema | None = None
    response: Any = None

    def __post_init__(self) -> None:
        """Makes `query` a tuple, and checks what it is made of."""
        query = (self.query,) if isinstance(self.query, QuerySchema) else tuple(self.query or ())
        names: set[str] = set()
        for each in query:
            if not isinstance(each, QuerySchema):
                raise TypeError(f"SlimeSchema(query=…) holds {each!r}: use QuerySchema(name=…, type=…)")
            if each.name in names:
                raise ValueError(f"SlimeSchema(query=…) has two parameters {each.name!r}: give each name once")
            names.add(each.name)
        if self.body is not None and not isinstance(self.body, BodySchema):
            raise TypeError(f"SlimeSchema(body={self.body!r}): use BodySchema(schema_name=…)")
        if self.response is not None:
            check_type("SlimeSchema(response=…)", self.response)
        object.__setattr__(self, "query", query)


def check_type(where: str, value: object) -> None:
    """`TypeError` unless `value` could be an annotation: plain values and text are the usual mistakes."""
    is_typing = type(value).__module__ in ("typing", "types", "typing_extensions")
    if isinstance(value, type) or value is None or is_typing:
        return
    raise TypeError(f"{where} got {value!r}: give a type, such as User or list[User]")
