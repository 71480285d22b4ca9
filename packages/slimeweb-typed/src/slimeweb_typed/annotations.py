"""A handler's annotations, each resolved by itself."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["Annotations", "Unresolved", "function_of"]


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation that names what is not there: it is imported for type checkers alone, or defined later."""

    text: str
    error: Exception


class Annotations:
    """The annotations of one handler. What is given as text is looked up in the function's closure, in the frame that
    declares the route, and in the module.
    """

    def __init__(self, handler: Callable[..., Any]) -> None:
        """Called where the route is declared, for its frame."""
        self._function = function_of(handler)
        self._signature = inspect.signature(handler, follow_wrapped=False)
        given = {name: each.annotation for name, each in self._signature.parameters.items()}
        given["return"] = self._signature.return_annotation
        self._found = given
        self._pending = {name: each for name, each in given.items() if not isinstance(each, type)}
        self._frame = _declaring_frame(self._function) if self._pending else None
        self.resolve()

    def resolve(self) -> Mapping[str, Any]:
        """All annotations by parameter, `return` among them, as they can be resolved by now: `Unresolved` for one that
        cannot. Those that are missing are `inspect.Parameter.empty`.
        """
        if self._pending:
            names = self._names()
            for name, annotation in list(self._pending.items()):
                self._found[name] = found = _evaluated(annotation, self._function, names)
                if not isinstance(found, Unresolved):
                    del self._pending[name]
            if not self._pending:
                self._frame = None
        return self._found

    def forget_frame(self) -> None:
        """Lets go of the frame that has declared the route, and of what that holds."""
        self._frame = None

    def _names(self) -> dict[str, Any]:
        names = {each.__name__: each for each in getattr(self._function, "__type_params__", ())}
        if self._frame is not None:
            names |= self._frame.f_locals
        code = getattr(self._function, "__code__", None)
        cells = getattr(self._function, "__closure__", None) or ()
        for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False):
            try:
                names[name] = cell.cell_contents
            except ValueError:
                # Not assigned yet.
                continue
        return names


def function_of(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The function that has a handler's code, module and name: that of a partial, a method, or an object."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not inspect.isroutine(handler):
        handler = getattr(handler, "__call__", handler)  # noqa: B004
    function: Callable[..., Any] = getattr(handler, "__func__", handler)
    return function


def _evaluated(annotation: Any, function: Callable[..., Any], names: dict[str, Any]) -> Any:
    module = getattr(function, "__globals__", {})
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    try:
        found = eval(annotation, module, names) if isinstance(annotation, str) else annotation
        # Text within types as well: list["User"].
        holder = type("annotation", (), {"__annotations__": {"value": found}})
        return typing.get_type_hints(holder, module, names, include_extras=True)["value"]
    except Exception as error:
        return Unresolved(str(annotation), error)


def _declaring_frame(function: Callable[..., Any]) -> FrameType | None:
    """The frame that defines the function, where that is within another one; else the innermost of its module."""
    code, module = getattr(function, "__code__", None), getattr(function, "__globals__", None)
    nearest: FrameType | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals is module and frame.f_locals is not module:
            if any(each is code for each in frame.f_code.co_consts):
                return frame
            nearest = nearest or frame
        frame = frame.f_back
    return nearest
