"""What is read off a handler's code: its return annotation, and the models that it validates bodies with."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from slimeweb import SlimeResponse

__all__ = ["returned", "validated", "without_partial"]

_EXPRESSION = (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.BinOp, ast.BitOr, ast.Constant, ast.Load)


def returned(handler: Callable[..., Any]) -> Any:
    """The type that a handler is annotated to return; `None` where it has none, or answers through its response."""
    try:
        annotation = typing.get_type_hints(_function(handler), include_extras=True).get("return")
    except Exception:
        # What an annotation raises when it is evaluated is up to its author, and nothing needs it but this.
        return None
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    bodies = tuple(each for each in members if each not in (None, types.NoneType, SlimeResponse))
    if not bodies or len(bodies) < len([each for each in members if each is not types.NoneType]) or Any in bodies:
        return None
    return typing.Union[bodies]  # noqa: UP007 -- the members are data


def validated(handler: Callable[..., Any]) -> Any:
    """The type that a handler gives to `req.validate(…)`, all of them when there are several; `None` without one."""
    function = _function(handler)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        # Made at run time, or part of a line that makes no sense alone.
        return None
    definition = next(
        (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)), None
    )
    if definition is None:
        return None
    names = _names(function)
    models: list[Any] = []
    for expression in _validated_with(definition, bound=inspect.ismethod(function)):
        model = _evaluate(expression, names)
        if model is not None and model not in models:
            models.append(model)
    return typing.Union[tuple(models)] if models else None  # noqa: UP007 -- the members are data


def without_partial(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The function that a `functools.partial` is of: it is what has a name, a docstring and a module."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    return handler


def _function(handler: Callable[..., Any]) -> Callable[..., Any]:
    handler = inspect.unwrap(without_partial(handler))
    if inspect.isroutine(handler):
        return handler
    # An object that is a handler: its method has the annotations and the code.
    call: Callable[..., Any] = getattr(handler, "__call__", handler)  # noqa: B004
    return call


def _validated_with(definition: ast.FunctionDef | ast.AsyncFunctionDef, bound: bool) -> Iterator[ast.expr]:
    """The first arguments of the calls of `validate` on the function's request."""
    arguments = [*definition.args.posonlyargs, *definition.args.args]
    place = 1 if bound else 0
    if len(arguments) <= place:
        return
    request = arguments[place].arg
    for node in ast.walk(definition):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="validate"), args=positional, keywords=keywords
            ) if name == request:
                yield from positional[:1] or [each.value for each in keywords if each.arg == "obj"]


def _names(function: Callable[..., Any]) -> dict[str, Any]:
    function = inspect.unwrap(getattr(function, "__func__", function))
    names = dict(getattr(function, "__globals__", {}))
    code = getattr(function, "__code__", None)
    for name, cell in zip(getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            # Not assigned yet.
            continue
    return names


def _evaluate(expression: ast.expr, names: dict[str, Any]) -> Any:
    # Names, their attributes and what makes types of types: evaluating them does nothing else.
    if not all(isinstance(node, _EXPRESSION) for node in ast.walk(expression)):
        return None
    try:
        return eval(compile(ast.Expression(expression), "<validate>", "eval"), names)
    except Exception:
        # A variable of the function itself, for one: what it stands for is known when it runs.
        return None
