"""Path patterns: `/users/{id:int}/files/{*rest}`. The router reads them, and this is what it finds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slimeweb._core import parse_path
from slimeweb.errors import InvalidHandler

__all__ = ["PathParam", "PathPart", "PathPattern", "PathPrefix"]

_SEGMENTS = {
    "str": re.compile(".+", re.DOTALL),
    "int": re.compile("-?[0-9]+"),
    "float": re.compile(r"-?[0-9]+(?:\.[0-9]+)?"),
    "uuid": re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
"""What a parameter of a kind matches, as `ParamKind` of the router has it."""


@dataclass(frozen=True, slots=True)
class PathParam:
    """One `{name:kind}` of a pattern, of kind `str`, `int`, `float`, `uuid` or `path`. `{*name}` is of kind `path`: it
    takes everything that is left, slashes included.
    """

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class PathPart:
    """What is between two slashes: plain text, or one parameter with text before and after it."""

    before: str
    param: PathParam | None
    after: str


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path with its parameters found. Two patterns of the same `shape` match the same paths."""

    text: str
    parts: tuple[PathPart, ...]
    params: tuple[PathParam, ...]
    shape: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Reads a pattern. `InvalidHandler` when it is not one, saying why."""
        if not isinstance(text, str):
            raise InvalidHandler(f"path {text!r} is no text: give one that starts with '/'")
        try:
            found = parse_path(text)
        except ValueError as error:
            raise InvalidHandler(f"path {text!r}: {error}") from error
        parts = tuple(
            PathPart(before, None if param is None else PathParam(*param), after) for before, param, after in found
        )
        params = tuple(part.param for part in parts if part.param is not None)
        return cls(text, parts, params, tuple(map(_shape, parts)))


@dataclass(frozen=True, slots=True)
class PathPrefix:
    """The beginning of paths, `/api` or nothing: a pattern is below it that begins with the same parts."""

    parts: tuple[PathPart, ...]

    @classmethod
    def parse(cls, text: str) -> PathPrefix:
        """Reads a prefix. `InvalidHandler` when it is none, saying why."""
        return cls(PathPattern.parse(text).parts if text else ())

    def is_above(self, pattern: PathPattern) -> bool:
        """Whether a pattern is the prefix itself, or below it."""
        return pattern.shape[: len(self.parts)] == tuple(map(_shape, self.parts))

    def can_reach(self, pattern: PathPattern) -> bool:
        """Whether any path that begins with the prefix may be one that the pattern matches."""
        for at, part in enumerate(self.parts):
            if at == len(pattern.parts):
                return False
            other = pattern.parts[at]
            if _takes_rest(other) or _takes_rest(part):
                return True
            if not _may_meet(part, other):
                return False
        return True


def _takes_rest(part: PathPart) -> bool:
    return part.param is not None and part.param.kind == "path"


def _may_meet(one: PathPart, other: PathPart) -> bool:
    """Whether a segment may be of both. Where both have a parameter, it is not looked into what that matches."""
    if one.param is None and other.param is None:
        return one.before == other.before
    if one.param is not None and other.param is not None:
        return True
    text, part = (one.before, other) if one.param is None else (other.before, one)
    assert part.param is not None
    middle = text[len(part.before) : len(text) - len(part.after)]
    if text != part.before + middle + part.after or len(text) < len(part.before) + len(part.after):
        return False
    return bool(_SEGMENTS[part.param.kind].fullmatch(middle))


def _shape(part: PathPart) -> str:
    # NUL cannot be in a path: no plain text looks like a parameter.
    return part.before if part.param is None else f"{part.before}\0{part.param.kind}\0{part.after}"
