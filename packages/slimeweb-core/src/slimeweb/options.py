"""Keyword arguments that plugins add to `route()` and to `serve()`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slimeweb._setting_readers import Invalid, flag

__all__ = ["RouteOption", "ServeOption"]


def _as_it_is(value: Any) -> Any:
    return value


def _read(validate: Callable[[Any], Any], value: Any) -> Any:
    if validate is not bool or not isinstance(value, str):
        return validate(value)
    # `bool` itself takes "0" and "no" for true.
    try:
        return flag(value)
    except Invalid as error:
        raise ValueError(f"use {error}") from error


@dataclass(frozen=True, slots=True)
class RouteOption:
    """A keyword argument of `app.route()`, called `name`, which is `default` where a route does not give it.

    `validate` takes the value given and returns the one to keep; it raises `ValueError` or `TypeError` when it will
    not do, at the declaration of the route. The default is not validated. `bool` reads text as settings are read: "1",
    "true", "yes", "on", and "0", "false", "no", "off".
    """

    name: str
    default: Any = None
    validate: Callable[[Any], Any] = _as_it_is

    def read(self, value: Any) -> Any:
        """The value to keep for one that was given. `ValueError` or `TypeError` when it will not do."""
        return _read(self.validate, value)


@dataclass(frozen=True, slots=True)
class ServeOption:
    """A keyword argument of `app.serve()`, called `name`, which is `default` where nothing gives it; also read from the
    variable `SLIME_` and the name in capitals.

    `validate` takes the argument, or the variable's text, and returns the value to keep; `ValueError` or `TypeError`
    when it will not do. The default is not validated. The plugin reads the outcome from `app.serve_options[name]`.
    `bool` reads text as in `RouteOption`.
    """

    name: str
    default: Any = None
    validate: Callable[[Any], Any] = _as_it_is

    def read(self, value: Any) -> Any:
        """The value to keep for one that was given. `ValueError` or `TypeError` when it will not do."""
        return _read(self.validate, value)

    @property
    def variable(self) -> str:
        """The environment variable that sets it: `SLIME_MAX_ROOMS` for `max_rooms`."""
        return f"SLIME_{self.name.upper()}"
