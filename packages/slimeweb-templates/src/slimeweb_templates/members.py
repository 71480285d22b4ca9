"""What slimeweb-templates adds, for type checkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from slimeweb_templates.templates import Templates

__all__ = ["AppMembers", "Render", "RequestMembers"]


class Render(Protocol):
    """The type of `req.render`."""

    def __call__(self, name: str, context: Mapping[str, Any] | None = None, /, **names: Any) -> str:
        """A template's text with these names filled in."""


class AppMembers:
    """Attributes of applications."""

    templates: Templates


class RequestMembers:
    """Attributes of requests."""

    render: Render
