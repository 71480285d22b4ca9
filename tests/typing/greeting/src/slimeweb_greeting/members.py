"""What slimeweb-greeting adds, for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypedDict, TypeVar, Unpack

from slimeweb import SlimeRequest, SlimeResponse
from slimeweb.routing import RouteArguments
from slimeweb_greeting import Greeting

H = TypeVar("H", bound=Callable[[SlimeRequest, SlimeResponse], str])


class Greet(Protocol):
    """The type of `app.greet`."""

    def __call__(self, path: str, text: str = "hello", **options: Unpack[RouteArguments]) -> Callable[[H], H]:
        """Declares a route that greets whom its handler names."""


class AppMembers:
    greet: Greet


class RequestMembers:
    greeting: Callable[[], Greeting]


class ResponseMembers:
    greet: Callable[[Greeting], SlimeResponse]


RouteHandler = Callable[[Greeting], str]
"""Handlers that the plugin calls with a greeting."""


class RouteOptions(TypedDict, total=False):
    greeting: Greeting | None


class ServeOptions(TypedDict, total=False):
    default_greeting: str
