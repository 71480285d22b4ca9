"""Path patterns: `/users/{id:int}/files/{*rest}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slimeweb.errors import InvalidHandler

__all__ = ["PARAM_KINDS", "PathParam", "PathPattern"]

PARAM_KINDS = ("str", "int", "float", "uuid", "path")
# Escaped braces and parameters, apart from the plain text around them.
_PIECE = re.compile(r"(\{\{|\}\}|\{[^{}]*\})")


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
        if "<" in text or ">" in text:
            raise InvalidHandler(f"path {text!r}: a parameter is written {{name}} or {{name:int}}, not <name>")
        if text.endswith("/*"):
            raise InvalidHandler(f"path {text!r}: what is left of a path is written {{*rest}}, not *")
        params: list[PathParam] = []
        shape: list[str] = []
        segments = text.split("/")[1:]
        for number, segment in enumerate(segments, 1):
            before, param, after = _segment(text, segment)
            if param is None:
                shape.append(before)
                continue
            if param.kind == "path":
                if before or after:
                    raise InvalidHandler(
                        f"path {text!r}: {segment!r} takes everything that is left, text cannot be beside it"
                    )
                if number < len(segments):
                    raise InvalidHandler(
                        f"path {text!r}: {segment!r} takes everything that is left, so it has to come last"
                    )
            if any(param.name == other.name for other in params):
                raise InvalidHandler(f"path {text!r}: the parameter {param.name!r} occurs twice")
            params.append(param)
            # NUL cannot be in a path: no plain text looks like a parameter.
            shape.append(f"{before}\0{param.kind}\0{after}")
        return cls(text, tuple(params), tuple(shape))


def _segment(text: str, segment: str) -> tuple[str, PathParam | None, str]:
    """What is between two slashes: plain text, or one parameter with text before and after it."""
    pieces = [piece for piece in _PIECE.split(segment) if piece]
    declared = [piece for piece in pieces if piece[0] == "{" and piece[-1] == "}"]
    if len(declared) > 1:
        raise InvalidHandler(f"path {text!r}: {segment!r} holds two parameters; one is the most between two slashes")
    plain = [piece for piece in pieces if piece not in declared and piece not in ("{{", "}}")]
    if any("{" in piece or "}" in piece for piece in plain):
        raise InvalidHandler(
            f"path {text!r}: {segment!r} has a brace without a partner: write {{name}}, or {{{{ for a brace"
        )
    if not declared:
        return _unescaped(pieces), None, ""
    place = pieces.index(declared[0])
    return _unescaped(pieces[:place]), _param(text, declared[0][1:-1]), _unescaped(pieces[place + 1 :])


def _unescaped(pieces: list[str]) -> str:
    return "".join({"{{": "{", "}}": "}"}.get(piece, piece) for piece in pieces)


def _param(text: str, declaration: str) -> PathParam:
    if declaration.startswith("*"):
        name, kind = declaration[1:], "path"
    else:
        name, colon, kind = declaration.partition(":")
        kind = kind if colon else "str"
    if not name.isidentifier():
        raise InvalidHandler(
            f"path {text!r}: {{{declaration}}} has no usable name: write {{name}}, {{name:int}} or {{*name}}"
        )
    if kind not in PARAM_KINDS:
        raise InvalidHandler(f"path {text!r}: {kind!r} is not a kind of parameter: use {', '.join(PARAM_KINDS)}")
    return PathParam(name, kind)
