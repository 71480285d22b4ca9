"""Where a parameter comes from, for `Annotated[int, Query(ge=1)]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["ApiKey", "BaseValue", "Bearer", "Body", "Cookie", "Depends", "File", "Form", "Header", "Query"]


@dataclass(frozen=True, slots=True)
class BaseValue:
    """A value that requests have under a name."""

    name: str | None = None
    """Its name in the request, that of the parameter unless given."""
    gt: float | None = None
    """What a number has to be greater than."""
    ge: float | None = None
    """The least that a number may be."""
    lt: float | None = None
    """What a number has to be less than."""
    le: float | None = None
    """The most that a number may be."""
    min_length: int | None = None
    """The least length of a text, in characters, or of a list."""
    max_length: int | None = None
    """The greatest length of a text, in characters, or of a list."""
    pattern: str | None = None
    """A regular expression that is found in the text."""
    description: str = ""
    """What the OpenAPI document says of it."""


class Query(BaseValue):
    """A parameter of the query; of a list all of that name. Scalars and lists of them are that without being told."""

    __slots__ = ()


class Header(BaseValue):
    """A header field; of a list all lines of it. The name has dashes where the parameter's has underscores."""

    __slots__ = ()


class Cookie(BaseValue):
    """A cookie."""

    __slots__ = ()


class Form(BaseValue):
    """A field of a form; of a list all of that name. Of a model, dataclass or the like it is the whole form."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file of a form, a `SlimeFile`; of a list all of that name. What is annotated `SlimeFile` or
    `list[SlimeFile]` is that without being told.
    """

    name: str | None = None
    """The name of its form field, that of the parameter unless given."""
    description: str = ""
    """What the OpenAPI document says of it."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body, of whatever type. Models, dicts and lists of them are that without being told."""

    description: str = ""
    """What the OpenAPI document says of it."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """The bearer token of the field Authorization (RFC 6750, section 2.1). Without one the answer is a 401, unless the
    parameter has a default or may be `None`. Whether the token is good, the handler decides.
    """

    scheme: str = "bearer"
    """The name of the security scheme in the OpenAPI document."""
    format: str = ""
    """What the OpenAPI document says of the token's form, such as `JWT`."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key in a header field, or in a parameter of the query or a cookie where that is named. Without one the answer
    is a 401, unless the parameter has a default or may be `None`. Whether the key is good, the handler decides.
    """

    header: str = "X-API-Key"
    """The name of the header field."""
    query: str | None = None
    """The name of the query's parameter."""
    cookie: str | None = None
    """The name of the cookie."""
    scheme: str = "apiKey"
    """The name of the security scheme in the OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Depends:
    """What `function` makes: a resource of the scope `request` without a name. Its parameters are other resources by
    their names, `req` and `resp`.
    """

    function: Callable[..., Any]
    """A function, generator, coroutine function or asynchronous generator."""
