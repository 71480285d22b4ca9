"""Which handlers are called with a request and a response, and which with what their parameters say."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from typing import Any

from slimeweb._core import SlimeRequest, SlimeResponse
from slimeweb.handlers import Handler, signature_of

__all__ = ["RouteResponse", "takes_request_and_response"]

_NAMES = ("req", "resp")
_NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class RouteResponse:
    """The base of the response objects that the `RouteKind` of a plugin gives to handlers. A parameter that is
    annotated with a class derived from it is a handler's response, whatever it is called.
    """

    __slots__ = ()


def takes_request_and_response(handler: Handler, params: Collection[str]) -> bool:
    """Whether a handler is one of `(req, resp)`; `params` are the parameters of its path.

    It is when it can be called with two positional arguments, and the first two parameters have no default, are not
    both of the path, and have no annotation but classes of requests and responses, or are called `req` and `resp`.
    """
    try:
        signature = signature_of(handler)
    except ValueError:
        # Some built-in callables have no signature.
        return True
    try:
        signature.bind(*_NAMES)
    except TypeError:
        return False
    first = [each for each in signature.parameters.values() if each.kind in _NAMED][:2]
    if len(first) == 2 and all(each.name in params for each in first):
        return False
    return all(each.default is each.empty and _may_be_either(each, handler) for each in first)


def _may_be_either(parameter: inspect.Parameter, handler: Handler) -> bool:
    annotation = parameter.annotation
    if annotation is parameter.empty or parameter.name in _NAMES:
        return True
    if isinstance(annotation, str):
        function = inspect.unwrap(getattr(handler, "func", handler))
        try:
            annotation = eval(annotation, getattr(function, "__globals__", {}))
        except Exception:
            # It may be imported for type checkers alone.
            name = annotation.rpartition(".")[2]
            return name in ("Any", "object") or any(name == each.__name__ for each in _classes())
    if annotation is Any or annotation is object:
        return True
    return isinstance(annotation, type) and issubclass(annotation, (SlimeRequest, SlimeResponse, RouteResponse))


def _classes() -> Iterator[type]:
    yield SlimeRequest
    yield SlimeResponse
    derived = [RouteResponse]
    # The list grows while it is gone through.
    for each in derived:
        yield each
        derived += each.__subclasses__()
