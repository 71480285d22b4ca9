"""`url_for`: the paths of routes by their names."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from slimeweb._pattern import PathParam, PathPart
from slimeweb.errors import UrlError
from slimeweb.routing import RouteSpec
from slimeweb.spelling import suggestion

if TYPE_CHECKING:
    from slimeweb.router import Include

__all__ = ["UrlTable"]

_SEGMENT = "!$&'()*+,;=:@"
"""What stands for itself in a segment of a path, besides letters, digits and `-._~` (RFC 3986, section 3.3)."""

_DOTS = (".", "..")


class UrlTable:
    """The names of an application's routes: whole ones, and those relative to the includes of routers."""

    __slots__ = ("_routes",)

    def __init__(self, routes: Iterable[RouteSpec]) -> None:
        found: dict[tuple[tuple[Include, ...], str], list[RouteSpec]] = {}
        for route in routes:
            for depth in range(len(route.includes) + 1):
                names = [each.name for each in route.includes[depth:] if each.name]
                found.setdefault((route.includes[:depth], ".".join((*names, route.name))), []).append(route)
        self._routes = found

    def path(
        self, name: str, query: Mapping[str, Any] | None, params: Mapping[str, Any], near: RouteSpec | None
    ) -> str:
        """The path and query of the route that is called so; one that begins with a dot is relative to the router of
        `near`. `UrlError` says what to type instead.
        """
        route = self._route(name, params, near)
        given = set(params)
        for param in route.params:
            if param.name not in given:
                raise UrlError(f"url_for({name!r}) needs {param.name}=…, a parameter of {route.path}")
            given.discard(param.name)
        for other in given:
            names = [param.name for param in route.params]
            advice = f": {suggestion(other, names)}" if names else ""
            raise UrlError(
                f"url_for({name!r}): {route.path} has no parameter {other!r}{advice}; what is to stand behind the ? "
                f"goes into query={{{other!r}: …}}"
            )
        path = "".join(f"/{_segment(name, part, params)}" for part in route.pattern.parts)
        if path.startswith("//"):
            raise UrlError(f"url_for({name!r}) would give {path!r}, which is another host: take off the leading slash")
        return path if not query else f"{path}{_query(name, query)}"

    def _route(self, name: str, params: Mapping[str, Any], near: RouteSpec | None) -> RouteSpec:
        if not isinstance(name, str):
            raise UrlError(f"url_for({name!r}): give the name of a route as text, such as url_for('users.show')")
        scope: tuple[Include, ...] = ()
        if name.startswith("."):
            if near is None:
                raise UrlError(
                    f"url_for({name!r}) is relative to the router of the request's route, and there is none: give the "
                    "whole name, such as url_for('users.show')"
                )
            scope = near.includes
        candidates = self._routes.get((scope, name.removeprefix(".")))
        if not candidates:
            dot = "." if name.startswith(".") else ""
            known = [f"{dot}{local}" for chain, local in self._routes if chain == scope]
            raise UrlError(f"url_for({name!r}): no route is called so: {suggestion(name, known)}")
        # A name that was given counts over the name of a function.
        candidates = [each for each in candidates if each.given_name] or candidates
        first = candidates[0]
        for other in candidates:
            if other.handler is not first.handler and other.pattern.shape != first.pattern.shape:
                raise UrlError(f"url_for({name!r}) may be {first} or {other}: give one of them another name=…")
        own = [each for each in candidates if each.includes == first.includes]
        fitting = (each for each in own if {param.name for param in each.params} == set(params))
        return next(fitting, first)


def _segment(name: str, part: PathPart, params: Mapping[str, Any]) -> str:
    if part.param is None:
        return quote(part.before, safe=_SEGMENT)
    text = _text(name, part.param, params[part.param.name])
    takes_rest = part.param.kind == "path"
    whole = f"{part.before}{text}{part.after}"
    if any(each in _DOTS for each in (whole.split("/") if takes_rest else (whole,))):
        raise UrlError(
            f"url_for({name!r}, {part.param.name}={text!r}): clients take '.' and '..' out of paths: give another value"
        )
    try:
        return quote(whole, safe=_SEGMENT + "/" if takes_rest else _SEGMENT)
    except UnicodeEncodeError as error:
        raise UrlError(f"url_for({name!r}, {part.param.name}={text!r}): this is no text that UTF-8 can hold") from error


def _text(name: str, param: PathParam, value: Any) -> str:
    """A parameter's value as the path has it: what the server's converter makes the value of."""
    wanted = "text that is not empty"
    match param.kind:
        case "int":
            if isinstance(value, int) and not isinstance(value, bool):
                return str(int(value))
            wanted = f"an int, such as {param.name}=7"
        case "float":
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                # Without an exponent, which the server does not take.
                return format(Decimal(repr(value)), "f")
            wanted = f"a finite float, such as {param.name}=1.5"
        case "uuid":
            if isinstance(value, uuid.UUID):
                return str(value)
            wanted = f"a uuid.UUID, such as {param.name}=uuid.uuid4()"
        case "path":
            if isinstance(value, str):
                return str(value)
            wanted = f"text, such as {param.name}='a/b.txt'"
        case _:
            if isinstance(value, str | int | uuid.UUID) and not isinstance(value, bool) and value != "":
                return str(value)
    raise UrlError(f"url_for({name!r}, {param.name}={value!r}): the parameter has to be {wanted}")


def _query(name: str, query: Mapping[str, Any]) -> str:
    if not isinstance(query, Mapping):
        raise UrlError(f"url_for({name!r}, query={query!r}): give a dict, such as query={{'page': 2}}")
    pairs = [
        (key, each)
        for key, value in query.items()
        for each in (value if isinstance(value, list | tuple) else (value,))
        if each is not None
    ]
    return f"?{urlencode(pairs)}" if pairs else ""
