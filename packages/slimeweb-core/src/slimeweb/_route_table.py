"""The routes of an application, as they are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slimeweb.errors import MultipleRouteException
from slimeweb.handlers import describe
from slimeweb.methods import overlap
from slimeweb.routing import RouteSpec

__all__ = ["RouteTable"]


class RouteTable:
    """The routes of one application, in order, no two of which answer the same method of the same path."""

    __slots__ = ("_routes",)

    def __init__(self, routes: Iterable[RouteSpec] = ()) -> None:
        self._routes: tuple[RouteSpec, ...] = ()
        for route in routes:
            self.add(route)

    def add(self, route: RouteSpec) -> None:
        """Adds a route. `MultipleRouteException` names both when another one is in its way."""
        for other in self._routes:
            shared = overlap(route.methods, other.methods)
            if other.pattern.shape == route.pattern.shape and shared:
                raise MultipleRouteException(
                    f"{','.join(shared)} {route.path} has two handlers: {describe(other.handler)} for {other.path} "
                    f"and {describe(route.handler)}"
                )
        self._routes = (*self._routes, route)

    def at(self, shape: tuple[str, ...]) -> tuple[RouteSpec, ...]:
        """The routes whose pattern has that shape."""
        return tuple(route for route in self._routes if route.pattern.shape == shape)

    def __iter__(self) -> Iterator[RouteSpec]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)
