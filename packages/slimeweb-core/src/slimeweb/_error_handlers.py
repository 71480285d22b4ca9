"""What `@app.error` declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from slimeweb.errors import ConfigError, HttpError, InvalidHandler
from slimeweb.handlers import Handler, check_handler, describe, is_coroutine_function, signature_of

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["ErrorHandler", "ErrorHandlers", "ErrorKey"]

ErrorKey = int | type[BaseException]

ErrorHandler = Callable[["SlimeRequest", "SlimeResponse", BaseException], Any]


class ErrorHandlers:
    """Handlers by exception class and by status. What they do not have is looked for in `_outer`."""

    __slots__ = ("_by_status", "_by_type", "_outer")

    def __init__(self) -> None:
        self._by_status: dict[int, ErrorHandler] = {}
        self._by_type: dict[type[BaseException], ErrorHandler] = {}
        self._outer: ErrorHandlers | None = None

    @classmethod
    def joined(cls, scopes: Sequence[ErrorHandlers]) -> ErrorHandlers:
        """Those of several scopes, the innermost first: the first that has a handler for an exception counts."""
        first = copy(scopes[0])
        if scopes[1:]:
            first._outer = cls.joined(scopes[1:])
        return first

    def __bool__(self) -> bool:
        return bool(self._by_status or self._by_type)

    def __copy__(self) -> ErrorHandlers:
        other = ErrorHandlers()
        other._by_status.update(self._by_status)
        other._by_type.update(self._by_type)
        return other

    def add(self, key: ErrorKey, handler: Handler) -> None:
        """Declares a handler. `InvalidHandler` for one that cannot be called, `ConfigError` for a second one for the
        same key.
        """
        adapted = _with_three_arguments(handler)
        if isinstance(key, type) and issubclass(key, BaseException):
            table: dict[Any, ErrorHandler] = self._by_type
        elif isinstance(key, int) and not isinstance(key, bool) and 400 <= key <= 599:
            table = self._by_status
        else:
            raise InvalidHandler(f"app.error({key!r}): give an error status, 400 to 599, or an exception class")
        if key in table:
            raise ConfigError(f"app.error({key!r}) has two handlers; the second is {describe(handler)}")
        table[key] = adapted

    def find(self, exc: BaseException) -> tuple[ErrorKey, ErrorHandler] | None:
        """The handler of an exception, and what it was declared for: its own class, its status (an `HttpError` has
        one), or the nearest base class; without any of these, 500.
        """
        kind = type(exc)
        keys: tuple[ErrorKey, ...]
        keys = (kind, exc.status, *kind.__mro__[1:]) if isinstance(exc, HttpError) else (*kind.__mro__, 500)
        for key in keys:
            handler = self._by_status.get(key) if isinstance(key, int) else self._by_type.get(key)
            if handler is not None:
                return key, handler
        return None if self._outer is None else self._outer.find(exc)

    def has_class(self, exc: BaseException) -> bool:
        """Whether a handler was declared for the exception's class or a base class."""
        if any(kind in self._by_type for kind in type(exc).__mro__):
            return True
        return self._outer is not None and self._outer.has_class(exc)

    def for_status(self, status: int) -> ErrorHandler | None:
        """The handler of a status."""
        handler = self._by_status.get(status)
        return self._outer.for_status(status) if handler is None and self._outer is not None else handler


def _with_three_arguments(handler: Handler) -> ErrorHandler:
    if callable(handler) and _takes(handler, 2) and not _takes(handler, 3):
        function = handler
        if is_coroutine_function(function):
            raise InvalidHandler(_must_be_sync(function))

        def adapted(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> Any:
            return function(req, resp)

        return adapted
    check_handler(handler, "app.error", ("req", "resp", "exc"))
    if is_coroutine_function(handler):
        raise InvalidHandler(_must_be_sync(handler))
    return handler


def _must_be_sync(handler: Handler) -> str:
    return f"the error handler {describe(handler)} is async def: it serves routes of both kinds, make it a plain def"


def _takes(handler: Handler, count: int) -> bool:
    try:
        signature_of(handler).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return count == 3
    return True
