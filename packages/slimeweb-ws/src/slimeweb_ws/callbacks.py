"""What an application has registered for one connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from slimeweb.routing import check_handler, is_coroutine_function

__all__ = ["Callback", "Callbacks"]


class Callback(NamedTuple):
    """A function to call, and how."""

    function: Callable[..., Any]
    is_async: bool


class Callbacks:
    """The callbacks of one connection: for its opening, messages, errors and its end."""

    __slots__ = ("close", "error", "message", "open")

    def __init__(self) -> None:
        self.open: Callback | None = None
        self.message: Callback | None = None
        self.error: Callback | None = None
        self.close: Callback | None = None

    @staticmethod
    def check(role: str, function: Callable[..., Any], *arguments: str) -> Callback:
        """A function as a callback. `InvalidHandler` when it cannot be called with these arguments."""
        check_handler(function, f"resp.{role}", arguments)
        return Callback(function, is_coroutine_function(function))
