"""HTTP methods as users write them."""

from __future__ import annotations

from collections.abc import Iterable

from slimeweb.errors import MethodException
from slimeweb.spelling import closest
from slimeweb.tokens import TOKEN

__all__ = ["ANY", "covers", "overlap", "parse_methods"]

ANY = "*"
"""Stands for every method."""
_COMMON = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
# What is registered beside them (RFC 9110, section 16.1.2) or widely used, and looks like one of them.
_REGISTERED = frozenset({*_COMMON, "ORDERPATCH", "PROPPATCH"})


def parse_methods(method: str | Iterable[str]) -> tuple[str, ...]:
    """Methods in capitals, in order, each once; `("*",)` for any. `MethodException` for what is not a method."""
    if isinstance(method, bytes) or not isinstance(method, Iterable):
        raise MethodException(f"method={method!r}: give 'GET', 'POST' and the like, a list of them, or '*' for any")
    given = (method,) if isinstance(method, str) else tuple(method)
    if not given:
        raise MethodException("method is empty: give at least one, such as 'GET', or '*' for any")
    methods: list[str] = []
    for name in given:
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise MethodException(
                f"{name!r} is not an HTTP method: use 'GET', 'POST' and the like, a list of them, or '*' for any"
            )
        meant = _meant(name.upper())
        if meant is not None:
            raise MethodException(f"{name!r} is not an HTTP method: did you mean {meant!r}?")
        if name.upper() not in methods:
            methods.append(name.upper())
    if ANY in methods:
        return (ANY,)
    if "CONNECT" in methods:
        raise MethodException(
            "CONNECT asks for a tunnel (RFC 9110, section 9.3.6), not for a path: it cannot be routed"
        )
    return tuple(methods)


def _meant(name: str) -> str | None:
    """The common method that an unknown one is a slip of the fingers of. Others may be the application's own."""
    if name in _REGISTERED:
        return None
    for common in _COMMON:
        if sorted(common) == sorted(name):
            return common
    return closest(name, _COMMON, cutoff=0.85)


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
