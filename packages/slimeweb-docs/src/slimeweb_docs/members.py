"""What slimeweb-docs adds, for type checkers."""

from __future__ import annotations

from typing import TypedDict

from slimeweb_docs.declaration import Docs

__all__ = ["DeclaringMembers", "ServeOptions"]


class DeclaringMembers:
    """Attributes of applications and routers: `app.docs.document()` and its like are for applications alone."""

    docs: Docs


class ServeOptions(TypedDict, total=False):
    """Keyword arguments of `serve()`."""

    docs: bool | None
