"""HTTP methods as users write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from slimeweb.errors import MethodException

__all__ = ["ANY", "covers", "overlap", "parse_methods"]

ANY = "*"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def parse_methods(method: str | Iterable[str]) -> tuple[str, ...]:
    """Methods in capitals, in order, each once; `("*",)` for any. `MethodException` for what is not a method."""
    given = (method,) if isinstance(method, str) else tuple(method)
    if not given:
        raise MethodException("method is empty: give at least one, such as 'GET', or '*' for any")
    methods: list[str] = []
    for name in given:
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise MethodException(
                f"{name!r} is not an HTTP method: use 'GET', 'POST' and the like, a list of them, or '*' for any"
            )
        if name.upper() not in methods:
            methods.append(name.upper())
    if ANY in methods:
        return (ANY,)
    if "CONNECT" in methods:
        raise MethodException(
            "CONNECT asks for a tunnel (RFC 9110, section 9.3.6), not for a path: it cannot be routed"
        )
    return tuple(methods)


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The methods that both have; `*` has them all."""
    if ANY in one:
        return other
    if ANY in other:
        return one
    return tuple(method for method in one if method in other)


def covers(scope: tuple[str, ...], method: str) -> bool:
    """Whether `method` is among `scope`."""
    return ANY in scope or method in scope
