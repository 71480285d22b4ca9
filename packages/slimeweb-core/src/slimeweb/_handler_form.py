"""Which handlers are called with a request and a response, and which with what their parameters say."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator
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


_CLASSES = ((SlimeRequest,), (SlimeResponse, RouteResponse))


def takes_request_and_response(handler: Handler, params: Collection[str]) -> bool:
    """Whether a handler is one of `(req, resp)`; `params` are the parameters of its path.

    It is when it can be called with two positional arguments, and the first two parameters have no default, are not
    both of the path, and have no annotation but the class of requests and one of responses, or are called `req` and
    `resp`.
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
    places = zip(first, _NAMES, _CLASSES, strict=False)
    return all(
        each.default is each.empty and (each.name == name or _may_be(each.annotation, classes, handler))
        for each, name, classes in places
    )


def _may_be(annotation: Any, classes: tuple[type, ...], handler: Handler) -> bool:
    """Whether a parameter of this annotation may be given an object of one of the classes."""
    if annotation is inspect.Parameter.empty:
        return True
    if isinstance(annotation, str):
        function = inspect.unwrap(getattr(handler, "func", handler))
        try:
            annotation = eval(annotation, getattr(function, "__globals__", {}))
        except Exception:
            # It may be imported for type checkers alone.
            name = annotation.rpartition(".")[2]
            return name in ("Any", "object") or any(name == each.__name__ for each in _derived(classes))
    if annotation is Any or annotation is object:
        return True
    return isinstance(annotation, type) and issubclass(annotation, classes)


def _derived(classes: Iterable[type]) -> Iterator[type]:
    found = list(classes)
    # The list grows while it is gone through.
    for each in found:
        yield each
        found += each.__subclasses__()
