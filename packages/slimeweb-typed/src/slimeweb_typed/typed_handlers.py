"""The typed handlers of one application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slimeweb import RouteSpec
from slimeweb.handlers import describe
from slimeweb_typed.annotations import Annotations, Unresolved
from slimeweb_typed.calls import compile_call
from slimeweb_typed.errors import ParameterError
from slimeweb_typed.markers import Depends
from slimeweb_typed.parameters import Parameter, Unknown, nowhere, parameters_of
from slimeweb_typed.returns import answer_of

__all__ = ["Signature", "TypedHandlers"]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a typed handler takes and returns: `returns` is `MISSING` where it does not say."""

    parameters: list[Parameter]
    returns: Any


class TypedHandlers:
    """What is known of the annotations of an application's handlers, from their declaration on."""

    def __init__(self) -> None:
        # By identity, since a handler need not be hashable; it is kept with it, so that none takes its place.
        self._annotations: dict[int, tuple[Callable[..., Any], Annotations]] = {}

    def remember(self, route: RouteSpec) -> Annotations:
        """The annotations of a route's handler. Called where it is declared, for the names that are known there."""
        known = self._annotations.get(id(route.handler))
        if known is None:
            known = self._annotations[id(route.handler)] = (route.handler, Annotations(route.handler))
        return known[1]

    def signature(self, route: RouteSpec) -> Signature:
        """What is known of a route's handler by now. `ParameterError` for what can never be right."""
        annotations = self.remember(route).resolve()
        parameters = parameters_of(route, annotations, (), lambda _: False)
        return Signature(parameters, annotations["return"])

    def call(self, route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
        """The function of `(req, resp)` that calls a route's handler, at the start. `ParameterError` for what does not
        fit.
        """
        signature = self.signature(route)
        self.remember(route).forget_frame()
        for each in signature.parameters:
            if isinstance(each.source, Unknown):
                raise nowhere(each, route, each.source.reason)
            if isinstance(each.source, Depends):
                raise nowhere(each, route, "request resources are not there yet")
        where = describe(route.handler)
        if isinstance(signature.returns, Unresolved):
            raise ParameterError(
                f"{where}: its return annotation {signature.returns.text!r} does not resolve: {signature.returns.error}"
            )
        try:
            answer = answer_of(signature.returns, where)
        except TypeError as error:
            raise ParameterError(f"{where}: its return type has no JSON: {error}") from error
        return compile_call(route, handler, signature.parameters, answer)
