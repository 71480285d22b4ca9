"""The data of `@app.docs`: documentation of an application and of its routes."""

from __future__ import annotations

from dataclasses import dataclass, field

from slimeweb import RouteSpec
from slimeweb_docs.response_type import SlimeResponseType
from slimeweb_docs.schema import SlimeSchema

__all__ = ["About", "Documentation", "Entry"]


@dataclass(frozen=True, slots=True)
class Documentation:
    """The arguments of `@app.docs` for one handler."""

    title: str = ""
    description: str = ""
    response_type: SlimeResponseType | None = None
    schema: SlimeSchema = field(default_factory=SlimeSchema)
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A route with its documentation, `None` for none, and the tags that it is listed under. `declared` is the route as
    plugins know it, whose handler may be a `functools.partial`.
    """

    declared: RouteSpec
    route: RouteSpec
    said: Documentation | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """The `info` object of the document: title, version and description."""

    title: str
    version: str = "0.1.0"
    description: str = ""
