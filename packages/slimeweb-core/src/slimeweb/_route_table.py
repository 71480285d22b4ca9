"""The routes of an application, as they are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slimeweb.errors import MultipleRouteException
from slimeweb.methods import covers, overlap
from slimeweb.routing import RouteSpec

__all__ = ["RouteTable"]


class RouteTable:
    """The routes of one application, in order, no two of which answer the same method of the same path."""

    __slots__ = ("_by_path", "_routes")

    def __init__(self, routes: Iterable[RouteSpec] = ()) -> None:
        self._routes: tuple[RouteSpec, ...] = ()
        self._by_path: dict[str, tuple[RouteSpec, ...]] = {}
        for route in routes:
            self.add(route)

    def __copy__(self) -> RouteTable:
        other = RouteTable()
        other._routes, other._by_path = self._routes, dict(self._by_path)
        return other

    def add(self, route: RouteSpec) -> None:
        """Adds a route. `MultipleRouteException` names both when another one is in its way."""
        for other in self._routes:
            shared = overlap(route.methods, other.methods)
            if other.pattern.shape == route.pattern.shape and shared:
                raise MultipleRouteException(
                    f"{','.join(shared)} {route.path} has two handlers: {other.origin} for {other.path} and "
                    f"{route.origin}"
                )
        self._routes = (*self._routes, route)
        self._by_path[route.path] = (*self._by_path.get(route.path, ()), route)

    def at(self, shape: tuple[str, ...]) -> tuple[RouteSpec, ...]:
        """The routes whose pattern has that shape."""
        return tuple(route for route in self._routes if route.pattern.shape == shape)

    def find(self, path: str, method: str) -> RouteSpec | None:
        """The route with that pattern, as it was written, which answers the method (HEAD where GET is answered)."""
        here = self._by_path.get(path, ())
        wanted = (method, "GET") if method == "HEAD" else (method,)
        return next((route for each in wanted for route in here if covers(route.methods, each)), None)

    def __iter__(self) -> Iterator[RouteSpec]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)
