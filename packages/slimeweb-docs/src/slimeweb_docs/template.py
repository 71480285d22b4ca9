"""Paths as OpenAPI has them, which knows parameters by name alone and no two paths that differ in names only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from slimeweb import RouteSpec

__all__ = ["Paths", "Place"]

# In a template braces are always parameters.
_BRACES = str.maketrans({"{": "%7B", "}": "%7D"})

Shape = tuple[tuple[str, bool, str], ...]
"""A path but for the names and kinds of its parameters."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the operations of one path go: its template, the names of its parameters, the operations so far."""

    template: str
    names: tuple[str, ...]
    operations: dict[str, Any] = field(default_factory=dict)


class Paths:
    """The paths of one document, in the order in which they were declared."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Shape, Place]] = {}

    def place(self, route: RouteSpec, methods: list[str]) -> Place:
        """Where a route's operations go.

        Routes of one path that share no method go to one place, whatever their parameters are called, and where two
        would share a template, the later one's parameters get other names.
        """
        shape = tuple((part.before, part.param is not None, part.after) for part in route.pattern.parts)
        for other, place in self._places.values():
            if other == shape and not any(method in place.operations for method in methods):
                return place
        names = [param.name for param in route.params]
        template, attempt = _template(route, names), 1
        while template in self._places:
            suffix = f"_{attempt}" if attempt > 1 else ""
            names = [f"{param.name}_{param.kind}{suffix}" for param in route.params]
            attempt += 1
            # Without parameters, as where one path has a brace and another one its code, only a fragment is left.
            template = _template(route, names) if names else f"{_template(route, names)}#{attempt}"
        place = Place(template, tuple(names))
        self._places[template] = (shape, place)
        return place

    def __iter__(self) -> Iterator[Place]:
        return iter(place for _, place in self._places.values())


def _template(route: RouteSpec, names: list[str]) -> str:
    remaining = iter(names)
    template = ""
    for part in route.pattern.parts:
        param = "" if part.param is None else f"{{{next(remaining)}}}"
        template += f"/{part.before.translate(_BRACES)}{param}{part.after.translate(_BRACES)}"
    return template
