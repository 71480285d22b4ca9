"""The typed handlers of one application."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slimeweb import RouteSpec, Slime
from slimeweb.handlers import describe
from slimeweb.resources import Resource, resource
from slimeweb_typed.annotations import Annotations, Unresolved
from slimeweb_typed.calls import Call, compile_call
from slimeweb_typed.errors import ParameterError
from slimeweb_typed.markers import Depends
from slimeweb_typed.parameters import Parameter, Unknown, nowhere, parameters_of
from slimeweb_typed.parameters import Resource as FromResource
from slimeweb_typed.returns import answer_of

__all__ = ["Signature", "TypedHandlers"]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a typed handler takes and returns: `returns` is `MISSING` where it does not say."""

    parameters: list[Parameter]
    returns: Any


class TypedHandlers:
    """What is known of the annotations of an application's handlers, from their declaration on."""

    def __init__(self, app: Slime) -> None:
        self._app = app
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
        functions = {each.function for each in self._app.resources.values()}

        def is_resource(found: object) -> bool:
            return isinstance(found, Resource) or (inspect.isroutine(found) and found in functions)

        parameters = parameters_of(route, annotations, self._app.resources, is_resource)
        return Signature(parameters, annotations["return"])

    def resources(self, route: RouteSpec) -> Mapping[str, Resource]:
        """The resources that a route's handler takes, by parameter; none where the handler is not right."""
        try:
            parameters = self.signature(route).parameters
        except ParameterError:
            return {}
        return {each.name: found for each in parameters if (found := self._resource(each)) is not None}

    def _resource(self, parameter: Parameter) -> Resource | None:
        declared = self._app.resources
        match parameter.source:
            case FromResource(key=str() as name):
                return declared[name]
            case FromResource(key=Resource() as found):
                return found
            case FromResource(key=function):
                return next(each for each in declared.values() if each.function == function)
            case Depends(function=function):
                name = getattr(function, "__name__", type(function).__name__)
                name = f"{name}_{id(function):x}" if name.isidentifier() else f"depends_{id(function):x}"
                return resource(function, scope="request", name=name.lstrip("_"))
        return None

    def call(self, route: RouteSpec, handler: Callable[..., Any], resources: Mapping[str, Resource]) -> Call:
        """How a route's handler is called, made at the start. `ParameterError` for what does not fit."""
        signature = self.signature(route)
        self.remember(route).forget_frame()
        for each in signature.parameters:
            if isinstance(each.source, Unknown):
                raise nowhere(each, route, each.source.reason, sorted(self._app.resources))
        where = describe(route.handler)
        if isinstance(signature.returns, Unresolved):
            raise ParameterError(
                f"{where}: its return annotation {signature.returns.text!r} does not resolve: {signature.returns.error}"
            )
        try:
            answer = answer_of(signature.returns, where)
        except TypeError as error:
            raise ParameterError(f"{where}: its return type has no JSON: {error}") from error
        names = {name: each.name for name, each in resources.items()}
        made_for_it = any(each.scope == "request" for each in resources.values())
        return compile_call(route, handler, signature.parameters, answer, names, checks_first=made_for_it)
