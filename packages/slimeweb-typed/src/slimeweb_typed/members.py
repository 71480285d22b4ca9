"""What slimeweb-typed adds, for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["RouteHandler"]

RouteHandler = Callable[..., Any]
"""A handler of any parameters."""
