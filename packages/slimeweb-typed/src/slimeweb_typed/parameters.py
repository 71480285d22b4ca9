"""Where each parameter of a handler comes from."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from slimeweb import RouteSpec
from slimeweb.handlers import describe
from slimeweb.resources import Resource as Declared
from slimeweb.spelling import closest
from slimeweb_typed import shapes
from slimeweb_typed.annotations import Unresolved
from slimeweb_typed.errors import ParameterError
from slimeweb_typed.markers import ApiKey, BaseValue, Bearer, Body, Cookie, Depends, File, Form, Header, Query

__all__ = [
    "MISSING",
    "Marker",
    "Parameter",
    "Path",
    "Request",
    "Resource",
    "Response",
    "Unknown",
    "nowhere",
    "parameters_of",
]

MISSING: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Path:
    """A parameter of the path, of a `kind` as in `{id:int}`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Request:
    """The request itself."""


@dataclass(frozen=True, slots=True)
class Response:
    """The response that the route's kind gives to handlers."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the application, by its name or its function."""

    key: str | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that is known so far; `reason` is what to say where it stays so."""

    reason: str


Marker = Query | Header | Cookie | Form | File | Body | Bearer | ApiKey | Depends
Source = Marker | Path | Request | Response | Resource | Unknown

_MARKERS = (BaseValue, File, Body, Bearer, ApiKey, Depends)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its type (`MISSING` where none is known), where it comes from, and its default, `MISSING` for
    none.
    """

    name: str
    annotation: Any
    source: Source
    default: Any
    by_keyword: bool

    @property
    def key(self) -> str:
        """The name that it has in the request."""
        name: str | None = getattr(self.source, "name", None)
        if name is not None:
            return name
        return self.name.replace("_", "-") if isinstance(self.source, Header) else self.name

    @property
    def is_required(self) -> bool:
        """Whether a request without it is refused."""
        return self.default is MISSING


def parameters_of(
    route: RouteSpec,
    annotations: Mapping[str, Any],
    resources: Mapping[str, Declared],
    is_resource: Callable[[object], bool],
) -> list[Parameter]:
    """The parameters of a route's handler. `resources` are the application's, by name; `is_resource` tells the
    functions that make them.

    `ParameterError` for what can never be right; what may become so is `Unknown`.
    """
    reader = _Reader(route, annotations, resources, is_resource)
    found = [reader.read(each) for each in route.signature.parameters.values()]
    reader.check_body(found)
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    route: RouteSpec
    annotations: Mapping[str, Any]
    resources: Mapping[str, Declared]
    is_resource: Callable[[object], bool]

    def read(self, parameter: inspect.Parameter) -> Parameter:
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise self.error(name, "nothing is given to it: name each parameter")
        annotation = self.annotations[name]
        default = parameter.default
        if annotation is MISSING and isinstance(default, bool | int | float | str):
            annotation = type(default)
        source = self._source(name, annotation, default)
        if default is MISSING and isinstance(source, _MARKERS) and shapes.may_be_none(annotation):
            default = None
        known = MISSING if isinstance(annotation, Unresolved) else annotation
        return Parameter(name, known, source, default, by_keyword=parameter.kind is parameter.KEYWORD_ONLY)

    def check_body(self, parameters: list[Parameter]) -> None:
        """There is one body, and it is read as one thing."""
        whole = [each for each in parameters if isinstance(each.source, Body) or _is_form_model(each)]
        parts = [each for each in parameters if isinstance(each.source, Form | File) and each not in whole]
        if len(whole) > 1:
            names = " and ".join(each.name for each in whole)
            raise self.error(whole[1].name, f"{names} are both the whole body: make one model of them")
        if whole and parts:
            raise self.error(
                parts[0].name, f"it is a field of a form, and {whole[0].name} the whole body: make one model of them"
            )
        for each in (*whole, *parts):
            if self.route.stream_body:
                raise self.error(each.name, "it is the body, which a route with stream_body=True reads by req.chunks()")

    def error(self, name: str, reason: str) -> ParameterError:
        return ParameterError(
            f"{describe(self.route.handler)}: the parameter {name!r} of the route {self.route.path}: {reason}"
        )

    def _source(self, name: str, annotation: Any, default: Any) -> Source:
        places = list(self._places(name, annotation))
        if len(places) > 1:
            both = " and from ".join(text for text, _ in places)
            raise self.error(name, f"it comes from two places, from {both}: rename it, or leave one of them out")
        if places:
            return places[0][1]
        if isinstance(annotation, Unresolved):
            return Unknown(f"its annotation {annotation.text!r} does not resolve ({annotation.error})")
        if shapes.is_request(annotation):
            return Request()
        if shapes.is_response(annotation):
            return Response()
        if shapes.is_file(annotation):
            return File()
        if shapes.is_body(annotation):
            return Body()
        if annotation is MISSING:
            return Unknown("it has no type")
        return Query()

    def _places(self, name: str, annotation: Any) -> typing.Iterator[tuple[str, Source]]:
        for param in self.route.params:
            if param.name == name:
                yield "the path", Path(param.kind)
        if name == "req":
            yield "the request itself", Request()
        if name == "resp":
            yield "the response itself", Response()
        named = self.resources.get(name)
        if named is not None:
            yield f"the resource {name!r}", Resource(name)
        if typing.get_origin(annotation) is typing.Annotated:
            for each in annotation.__metadata__:
                if isinstance(each, _MARKERS):
                    yield f"{type(each).__name__}()", typing.cast(Source, each)
                elif isinstance(each, type) and issubclass(each, _MARKERS):
                    raise self.error(name, f"{each.__name__} is a class: write {each.__name__}()")
                elif named is not None and each in (named, named.function):
                    # It is said twice, and is one place.
                    continue
                elif self.is_resource(each):
                    yield f"the resource {getattr(each, '__name__', each)}", Resource(each)


def _is_form_model(parameter: Parameter) -> bool:
    return isinstance(parameter.source, Form) and shapes.is_body(parameter.annotation)


def nowhere(parameter: Parameter, route: RouteSpec, reason: str, resources: Collection[str] = ()) -> ParameterError:
    """The error for a parameter that nothing gives a value to."""
    params = [param.name for param in route.params]
    meant = closest(parameter.name, [*params, *resources])
    advice = f"did you mean {meant!r}?" if meant else "give it a type to have it from the query, such as str"
    where = f"the path has {', '.join(params) or 'no parameters'}, resources are {', '.join(resources) or 'none'}"
    return ParameterError(
        f"{describe(route.handler)}: the parameter {parameter.name!r} of the route {route.path} comes from nowhere: "
        f"{reason}; {where}: {advice}"
    )
