"""Path patterns: `/users/{id:int}/files/{*rest}`. The router reads them, and this is what it finds."""

from __future__ import annotations

from dataclasses import dataclass

from slimeweb._core import parse_path
from slimeweb.errors import InvalidHandler

__all__ = ["PathParam", "PathPart", "PathPattern"]


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


def _shape(part: PathPart) -> str:
    # NUL cannot be in a path: no plain text looks like a parameter.
    return part.before if part.param is None else f"{part.before}\0{part.param.kind}\0{part.after}"
