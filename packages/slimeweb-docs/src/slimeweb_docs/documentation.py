"""What is said about an application and its routes."""

from __future__ import annotations

from dataclasses import dataclass, field

from slimeweb import RouteSpec
from slimeweb_docs.response_type import SlimeResponseType
from slimeweb_docs.schema import SlimeSchema

__all__ = ["About", "Documentation", "Entry"]


@dataclass(frozen=True, slots=True)
class Documentation:
    """What `@app.docs` was told about one handler."""

    title: str = ""
    description: str = ""
    response_type: SlimeResponseType | None = None
    schema: SlimeSchema = field(default_factory=SlimeSchema)
    tags: tuple[str, ...] = ()
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A route with what is said about it, `None` for nothing, and the groups that it is listed under."""

    route: RouteSpec
    said: Documentation | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """What the document says about the application as a whole."""

    title: str
    version: str = "0.1.0"
    description: str = ""
