"""Routes, as they are declared, and the kinds of them that plugins bring."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from slimeweb._handler_form import RouteResponse, takes_request_and_response
from slimeweb._installed.members import RouteOptions
from slimeweb._pattern import PathParam, PathPattern
from slimeweb.handlers import Handler, check_callable, describe, is_coroutine_function, signature_of
from slimeweb.methods import parse_methods
from slimeweb.resources import as_keys

if TYPE_CHECKING:
    from slimeweb.middleware import SlimeMiddleware
    from slimeweb.resources import ResourceKey
    from slimeweb.router import Include

__all__ = [
    "BODY_SIZE",
    "HandlerWrapper",
    "RouteArguments",
    "RouteKind",
    "RouteResponse",
    "RouteSpec",
    "RouterArguments",
]


BODY_SIZE = 10 * 1024 * 1024
"""The default limit of a request body, in bytes."""


class RouterArguments(RouteOptions, total=False):
    """The keyword arguments of a `Router` for its routes: `body_size`, `plugin`, `resources`, `blocking`,
    `stream_body`, and those that type checkers know of installed plugins.
    """

    body_size: int | None
    plugin: SlimeMiddleware | Sequence[SlimeMiddleware] | None
    resources: Sequence[ResourceKey]
    blocking: bool | None
    stream_body: bool


class RouteArguments(RouterArguments, total=False):
    """The keyword arguments of `app.route` but `path` and `method`. For the annotation
    `**arguments: Unpack[RouteArguments]` of a decorator that hands them on.
    """

    name: str | None
    """What `url_for` knows the route by."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteSpec:
    """One declared route. Immutable; made by `app.route`, or by a plugin with `RouteSpec.declare`.

    `pattern` is its path with the parameters found, `methods` its methods in capitals, `handler` the function as it was
    given, `is_async` whether that needs an event loop (a coroutine function, or an asynchronous generator that a
    `RouteKind` or `HandlerWrapper` takes), `middleware` the route's own. `stream_body` and `blocking` are as in
    `app.route`. `body_size` is in bytes, `None` for what `serve()` says. A coroutine handler of a route with `one_loop`
    always runs on the loop of the first worker, where `slime_startup` coroutines run: for what belongs to one event
    loop. `options` holds the plugins' route options by name, defaults included. `given_name` is the name that it was
    declared with, if any. `includes` are the includes of routers that it comes from, the outermost first. `resources`
    are those that are made for its requests: names, functions, or resources that have not been declared. `doc` is the
    handler's.
    """

    pattern: PathPattern
    methods: tuple[str, ...]
    handler: Handler
    is_async: bool
    body_size: int | None = None
    stream_body: bool = False
    blocking: bool | None = None
    one_loop: bool = False
    middleware: tuple[SlimeMiddleware, ...] = ()
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    given_name: str | None = None
    includes: tuple[Include, ...] = ()
    resources: tuple[ResourceKey, ...] = ()

    @classmethod
    def declare(
        cls,
        path: str,
        handler: Handler,
        method: str | Iterable[str] = "GET",
        *,
        body_size: int | None = None,
        stream_body: bool = False,
        blocking: bool | None = None,
        one_loop: bool = False,
        middleware: Iterable[SlimeMiddleware] = (),
        options: Mapping[str, Any] | None = None,
        name: str | None = None,
        includes: tuple[Include, ...] = (),
        resources: Iterable[ResourceKey] = (),
    ) -> RouteSpec:
        """A route from what a user would type. `InvalidHandler`, `MethodException` or `ValueError` when that will not
        do. Whether the handler takes `(req, resp)`, or what a plugin's `HandlerWrapper` calls it with, is checked where
        the route becomes one of an application.
        """
        pattern = PathPattern.parse(path)
        check_callable(handler, f"the route {path}")
        if body_size is not None and (
            isinstance(body_size, bool) or not isinstance(body_size, int) or not 0 <= body_size < 2**63
        ):
            raise ValueError(f"the route {path}: body_size={body_size!r} has to be a number of bytes, 0 or more")
        if not isinstance(stream_body, bool):
            raise ValueError(f"the route {path}: stream_body={stream_body!r} has to be True or False")
        if blocking is not None and not isinstance(blocking, bool):
            raise ValueError(
                f"the route {path}: blocking={blocking!r} has to be True, False or None (let the server find out)"
            )
        return cls(
            pattern=pattern,
            methods=parse_methods(method),
            handler=handler,
            is_async=is_coroutine_function(handler) or inspect.isasyncgenfunction(handler),
            body_size=body_size,
            stream_body=stream_body,
            blocking=blocking,
            one_loop=one_loop,
            middleware=tuple(middleware),
            options=MappingProxyType(dict(options or {})),
            given_name=check_name(f"the route {path}", name),
            includes=includes,
            resources=as_keys(resources, f"the route {path}"),
        )

    @property
    def path(self) -> str:
        """The pattern as it was written, `/users/{id:int}`."""
        return self.pattern.text

    @property
    def params(self) -> tuple[PathParam, ...]:
        """The pattern's parameters, in order."""
        return self.pattern.params

    @property
    def name(self) -> str:
        """The name that it was declared with, the handler's where there is none."""
        return self.given_name or str(getattr(self.handler, "__name__", type(self.handler).__name__))

    @property
    def full_name(self) -> str:
        """The name that `url_for` knows it by: `users.show` for the route `show` of a router `users`."""
        return ".".join((*(each.name for each in self.includes if each.name), self.name))

    @property
    def doc(self) -> str:
        """The handler's docstring, empty when there is none."""
        return inspect.getdoc(self.handler) or ""

    @property
    def signature(self) -> inspect.Signature:
        """The handler's own signature, not that of a function that it is wrapped around (`functools.wraps`).
        `ValueError` for a built-in callable that has none.
        """
        return signature_of(self.handler)

    @property
    def takes_request_and_response(self) -> bool:
        """Whether the handler is one of `(req, resp)`: it can be called with two positional arguments, and its first
        two parameters have no default, are not both of the path, and have no annotation but classes of requests and
        responses, or are called `req` and `resp`. Any other has to be claimed by a `HandlerWrapper`.
        """
        return takes_request_and_response(self.handler, {param.name for param in self.params})

    def __str__(self) -> str:
        return f"{','.join(self.methods)} {self.path} ({self.origin})"

    @property
    def origin(self) -> str:
        """The handler and where it is, and where its routers were included, for messages."""
        places = [f"included at {each.place}" for each in reversed(self.includes)]
        return ", ".join((describe(self.handler), *places))


@dataclass(frozen=True, slots=True)
class RouteKind:
    """A way to answer that a plugin brings.

    `wrap(route, handler)` is called once, at start, and returns the callable that takes the handler's place: two
    arguments, the core's own request and response, and a coroutine function exactly when the handler is one
    (`route.is_async`). It hands the handler whatever response object its kind of route calls for, of a class derived
    from `RouteResponse`. Two
    mechanisms are there to build on: `resp.writer()` for a body sent piece by piece, `resp.switch_protocol(protocol,
    headers)` for another protocol on the same connection. Middleware stays outside: it sees the request before the
    first byte of the answer goes out.

    `name` tells kinds apart in error messages and documentation; two plugins cannot use the same one.

    With `takes_generators` handlers may be generators, plain or asynchronous: what `wrap` gets returns one when it is
    called, and is a coroutine function where that is asynchronous.
    """

    name: str
    wrap: Callable[[RouteSpec, Callable[..., Any]], Callable[..., Any]]
    takes_generators: bool = False


@dataclass(frozen=True, slots=True)
class HandlerWrapper:
    """What a plugin puts around a route's handler, inside of the route's kind and of all middleware.

    `wrap(route, handler)` is called once, at start, and returns the callable that takes the handler's place: two
    arguments, the request and whatever response object the route's kind gives to handlers, and a coroutine function
    exactly when the handler is one (`route.is_async`). What it returns is the handler's return value for all that is
    further out. `handler` is the route's own, or what a wrapper further in has made of it.

    With `claims_signature` the handler need not take `(req, resp)`, and may be a generator: the wrapper calls it as its
    signature (`route.signature`) wants it. Such a wrapper is the innermost; two of them on one route are an error,
    unless all but one `gives_way`. `check_route(route)` is called where a route is declared whose handler this wrapper
    is to call: what it raises refuses the route there, and not when the application starts.

    `resources` are made for the route's requests, besides those that it lists itself. `check(req, resp)`, a plain
    function, is called before they are: what it raises is raised as by the handler, and no resource is made then.

    `name` stands in error messages.
    """

    name: str
    wrap: Callable[[RouteSpec, Callable[..., Any]], Callable[..., Any]]
    claims_signature: bool = False
    gives_way: bool = False
    check_route: Callable[[RouteSpec], object] | None = None
    resources: tuple[ResourceKey, ...] = ()
    check: Callable[[Any, Any], object] | None = None


def check_name(what: str, name: str | None) -> str | None:
    """A name for `url_for`, as it was given. `ValueError` for one that will not do."""
    if name is not None and (not isinstance(name, str) or not name or "." in name):
        raise ValueError(f"{what}: name={name!r} has to be text without a dot, such as 'users'")
    return name
