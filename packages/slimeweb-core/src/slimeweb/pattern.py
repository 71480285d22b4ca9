"""Path patterns: `/users/{id:int}/files/{*rest}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slimeweb.errors import InvalidHandler

__all__ = ["PARAM_KINDS", "PathParam", "PathPattern"]

PARAM_KINDS = ("str", "int", "float", "uuid", "path")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class PathParam:
    """One `{name:kind}` of a pattern. `{*name}` is of kind `path`: it takes everything that is left, slashes
    included.
    """

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path with its parameters found. Two patterns of the same `shape` match the same paths."""

    text: str
    params: tuple[PathParam, ...]
    shape: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Reads a pattern. `InvalidHandler` when it is not one, saying why."""
        if not isinstance(text, str) or not text.startswith("/"):
            raise InvalidHandler(f"path {text!r} does not start with '/'")
        if "?" in text or "#" in text:
            raise InvalidHandler(
                f"path {text!r} holds a query or a fragment: a route is matched by its path alone, see req.query"
            )
        params: list[PathParam] = []
        shape: list[str] = []
        segments = text.split("/")[1:]
        for number, segment in enumerate(segments, 1):
            param = _param(text, segment)
            if param is None:
                shape.append(segment)
                continue
            if param.kind == "path" and number < len(segments):
                raise InvalidHandler(f"path {text!r}: {segment} takes everything that is left, so it has to come last")
            if any(param.name == other.name for other in params):
                raise InvalidHandler(f"path {text!r}: the parameter {param.name!r} occurs twice")
            params.append(param)
            shape.append(f"{{{param.kind}}}")
        return cls(text, tuple(params), tuple(shape))


def _param(text: str, segment: str) -> PathParam | None:
    if "{" not in segment and "}" not in segment:
        return None
    inner = segment[1:-1]
    if segment[0] != "{" or segment[-1] != "}" or "{" in inner or "}" in inner:
        raise InvalidHandler(
            f"path {text!r}: {segment!r} has to be either plain text or one parameter as a whole, like {{name}}"
        )
    if inner.startswith("*"):
        name, kind = inner[1:], "path"
    else:
        name, colon, kind = inner.partition(":")
        kind = kind if colon else "str"
    if not _NAME.fullmatch(name):
        raise InvalidHandler(f"path {text!r}: {name!r} is not a parameter name: use letters, digits and _")
    if kind not in PARAM_KINDS:
        raise InvalidHandler(f"path {text!r}: {kind!r} is not a kind of parameter: use {', '.join(PARAM_KINDS)}")
    return PathParam(name, kind)
