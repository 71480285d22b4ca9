"""What an application has registered for one connection."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

from slimeweb.handlers import check_handler, is_coroutine_function

__all__ = ["Callback", "Callbacks", "Checks"]

_MOST = 64
"""How many functions of one route the cache has at most: more come only from code that is made while the application
runs.
"""


class Callback(NamedTuple):
    """A function to call, and how."""

    function: Callable[..., Any]
    is_async: bool


class Callbacks:
    """The callbacks of one connection: for its opening, messages, errors and its end.

    `call(function, *arguments)` calls a function in the context of the connection.
    """

    __slots__ = ("call", "close", "error", "message", "open")

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        self.open: Callback | None = None
        self.message: Callback | None = None
        self.error: Callback | None = None
        self.close: Callback | None = None

    @property
    def has_any(self) -> bool:
        """Whether one has been registered."""
        return any((self.open, self.message, self.error, self.close))


class Checks:
    """A cache of checks: the callbacks that one route's handler registers.

    They are made anew for each connection, but from the same few code objects: each is looked at once.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], bool] = {}

    def check(self, role: str, function: Callable[..., Any], *arguments: str) -> Callback:
        """A function as a callback. `InvalidHandler` when it cannot be called with these arguments."""
        if type(function) is not FunctionType or function.__dict__:
            # Its attributes may say that it is called otherwise than its code does.
            check_handler(function, f"resp.{role}", arguments)
            return Callback(function, is_coroutine_function(function))
        defaults, keyword_defaults = function.__defaults__ or (), function.__kwdefaults__ or ()
        key = (role, function.__code__, len(defaults), *keyword_defaults)
        is_async = self._known.get(key)
        if is_async is None:
            check_handler(function, f"resp.{role}", arguments)
            is_async = is_coroutine_function(function)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = is_async
        return Callback(function, is_async)
