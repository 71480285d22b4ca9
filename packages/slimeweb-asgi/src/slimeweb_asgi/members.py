"""What slimeweb-asgi adds, for type checkers."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["AppMembers", "Mount"]


class Mount(Protocol):
    """The type of `app.mount`."""

    def __call__(self, path: str, *, asgi: Any = None, wsgi: Any = None, body_size: int | None = None) -> None:
        """Has an application answer at `path` and below it."""


class AppMembers:
    """Attributes of applications."""

    mount: Mount
