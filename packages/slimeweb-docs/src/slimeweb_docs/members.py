"""What slimeweb-docs adds, for type checkers."""

from __future__ import annotations

from typing import TypedDict

from slimeweb_docs.declaration import Docs

__all__ = ["AppMembers", "ServeOptions"]


class AppMembers:
    """Attributes of applications."""

    docs: Docs


class ServeOptions(TypedDict, total=False):
    """Keyword arguments of `serve()`."""

    docs: bool | None
