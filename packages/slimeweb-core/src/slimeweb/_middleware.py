"""Middleware as it is declared, and the layers that it becomes. `slimeweb.middleware` has what is public."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slimeweb._middleware_stack import Layer, needs_loop
from slimeweb._pattern import PathPattern, PathPrefix
from slimeweb._route_table import RouteTable
from slimeweb.errors import InvalidHandler, InvalidMiddlewareHandlerType, RouteHandlerNotFoundException
from slimeweb.handlers import Handler, check_generator, check_handler, describe
from slimeweb.methods import ANY, covers, overlap
from slimeweb.resources import ResourceKey, as_keys
from slimeweb.routing import RouteSpec
from slimeweb.spelling import closest

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.router import Include

__all__ = [
    "EVERY_PATH",
    "Position",
    "Registration",
    "SlimeMiddleware",
    "as_middleware",
    "check_sync_or_async",
    "check_methods",
    "innermost",
    "layer_of",
    "targets_of",
]

EVERY_PATH = "*"
"""The path of middleware that is for every path, or for every route of a router."""

_BELOW = "/*"
"""The end of the path of middleware that is for all routes below it."""

Position = Literal["around", "before", "after"]

_AROUND = "middle_around"
_PLAIN = ("middle_before", "middle_after", _AROUND)
_METHODS = (*_PLAIN, *(f"{name}_async" for name in _PLAIN))
_SHORT = {name: method for method in _PLAIN for name in (method[7:], f"on_{method[7:]}", f"{method[7:]}_request")} | {
    "after_response": "middle_after"
}
"""What the methods are called elsewhere."""
_REORDERED = [
    sorted(pair) for each in ("before", "after", "around") for pair in ((each, "middle"), (each, "middleware"))
]
"""The words of a method's name, in whatever order they were put."""


class SlimeMiddleware:
    """The base of middleware classes: override what is to run before the handler, after it, or around it.

    Plain methods serve every route; on a coroutine handler's they run on its event loop, and must not wait. There
    `middle_before_async`, `middle_after_async` and `middle_around_async` run in their place, where the class has them:
    with both halves it serves every route and may wait in each. A class that has only asynchronous methods serves
    coroutine handlers alone.

    A before ends the request when it fills the response's body or returns something other than `None`, which then is
    the answer. An after runs for every response that its before let pass or gave, errors' included; it does not run
    when its own before raised. An around is both in one generator, and has exceptions raised at its `yield`.

    One instance serves many requests at once, on any thread: what belongs to a request goes on the request
    (`req.started = …`).
    """

    answers_options: bool = False
    """Whether `middle_before` also sees the OPTIONS requests that slimeweb answers for the paths of its routes,
    whatever methods it was registered for. What answers CORS preflights needs it.
    """

    replaces_outer: bool = False
    """Whether, of several around one handler, only the innermost runs. It holds for instances of the class that sets
    it and of those derived from that one: what a route says for itself replaces what the application says.
    """

    covers_files: bool = False
    """Whether it also runs for static files, where it is used for every path. `middle_before` sees the status and the
    headers that the file is to be sent with, and its answer takes the file's place.
    """

    resources: Sequence[ResourceKey] = ()
    """The resources of the scope `request` that are made before it: their names, or their functions."""

    only_declares: bool = False
    """Whether it has no methods on purpose: a plugin looks for it among `app.registrations` and `route.middleware`."""

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
        """Runs before the handler."""

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
        """Runs after the handler."""

    def middle_around(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
        """Runs before the handler up to its `yield`, and after it from there.

        It yields once: nothing, or an answer in place of the handler's, as a before returns one. What is raised inside
        of it is raised at the `yield`: by the handler, by middleware further in, and as a cancellation of its task. An
        exception that it does not let through is gone: the response as it stands is the answer, a 500 where there is
        none. The first after that an exception comes to sees the answer that it became, and arounds outside of that
        have both.
        """
        yield

    async def middle_before_async(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
        """Runs before a coroutine handler, in place of `middle_before`."""

    async def middle_after_async(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
        """Runs after a coroutine handler, in place of `middle_after`."""

    async def middle_around_async(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
        """Runs around a coroutine handler, in place of `middle_around`: an asynchronous generator, in the handler's
        task.
        """
        yield


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """One `use`, `middle_before`, `middle_after` or `middle_around`: `target` is what is to run, a function or
    middleware, `position` is `around` for middleware, `before`, `after` or `around` for a function, `path` the pattern
    it is for, one with `/*` at its end or `*`, `methods` the methods. `include` is that of the router it was declared
    on, whose routes it is for, `None` for the application.
    """

    target: SlimeMiddleware | Handler
    position: Position
    path: str
    methods: tuple[str, ...]
    include: Include | None = None

    @property
    def is_app_wide(self) -> bool:
        """Whether it is for every path, 404s among them."""
        return self.path == EVERY_PATH and self.include is None

    @property
    def is_of_one_path(self) -> bool:
        """Whether it is for the routes of one path: such ones are inside of what routes have of their own."""
        return not (self.path == EVERY_PATH or self.path.endswith(_BELOW))

    @property
    def scope(self) -> int:
        """How far out it is, of those that are not of one path: 0 for the whole application, then what is below a path,
        then routers from the outermost on.
        """
        depth = 0 if self.include is None else len(self.include.chain)
        return 2 * depth + (self.path != EVERY_PATH)

    @property
    def answers_options(self) -> bool:
        """Whether it is wanted around the OPTIONS that slimeweb answers itself."""
        return covers(self.methods, "OPTIONS") or bool(getattr(self.target, "answers_options", False))

    def is_for(self, route: RouteSpec, method: str) -> bool:
        """Whether it belongs around that route's handler for that method, which is `*` for any that is not named
        elsewhere.
        """
        return self.is_around(route) and covers(self.methods, method)

    def is_around(self, route: RouteSpec) -> bool:
        """Whether it belongs around that route's handler for any method that both have."""
        return (self.include is None or self.include in route.includes) and self.is_at(route.pattern)

    def is_at(self, pattern: PathPattern) -> bool:
        """Whether its path is that pattern, or above it."""
        if self.path == EVERY_PATH:
            return True
        if self.is_of_one_path:
            return PathPattern.parse(self.path).shape == pattern.shape
        return self._above.is_above(pattern)

    def can_reach(self, pattern: PathPattern) -> bool:
        """Whether a path below its own can be one of that pattern, which is not below it."""
        return not (self.path == EVERY_PATH or self.is_of_one_path or self.is_at(pattern)) and self._above.can_reach(
            pattern
        )

    def check(self, routes: RouteTable) -> None:
        """`RouteHandlerNotFoundException` when no route is there yet, `InvalidMiddlewareHandlerType` when it cannot
        serve one of them.
        """
        found = self._routes(routes)
        if not found and self.path != EVERY_PATH and not self.is_of_one_path:
            # Routes may follow: the start looks again.
            return
        if not found and self.include is not None and self.path == EVERY_PATH:
            return
        if not found:
            raise RouteHandlerNotFoundException(
                f"{self} has no route yet: declare the route {','.join(self.methods)} {self.path} first, this after"
            )
        if ANY not in self.methods and self.is_of_one_path:
            missing = [method for method in self.methods if not any(covers(route.methods, method) for route in found)]
            if missing:
                raise RouteHandlerNotFoundException(
                    f"{self}: the path {self.path} has no route for {','.join(missing)}"
                )
        for route in found:
            self.check_route(route)

    def check_route(self, route: RouteSpec) -> None:
        """`InvalidMiddlewareHandlerType` when this is async and the route is not, or a function that is not async where
        the route is.
        """
        if self.middleware is not None:
            check_sync_or_async(self.middleware, route)
        elif needs_loop(self._function()) is not route.is_async:
            wanted, given = ("async def", "a plain def") if route.is_async else ("a plain def", "async def")
            raise InvalidMiddlewareHandlerType(
                f"{self} is {given}, but the route {route} needs {wanted} like its handler"
            )

    def layer(self) -> Layer:
        """It, as a layer around a handler."""
        if self.middleware is not None:
            return layer_of(self.middleware)
        function = self._function()
        if self.position == "before":
            return Layer(before=function)
        return Layer(after=function) if self.position == "after" else Layer(around=function)

    @property
    def middleware(self) -> SlimeMiddleware | None:
        """The middleware, `None` for a function."""
        return self.target if isinstance(self.target, SlimeMiddleware) else None

    def _function(self) -> Handler:
        assert not isinstance(self.target, SlimeMiddleware)
        return self.target

    def _routes(self, routes: RouteTable) -> tuple[RouteSpec, ...]:
        return tuple(route for route in routes if self.is_around(route) and overlap(self.methods, route.methods))

    @property
    def _above(self) -> PathPrefix:
        return PathPrefix.parse(self.path.removesuffix(_BELOW))

    def __str__(self) -> str:
        of = "" if self.include is None else f" of {self.include}"
        if self.middleware is not None:
            return f"use({type(self.target).__name__}(), path={self.path!r}){of}"
        return f"middle_{self.position} {describe(self.target)} for {self.path!r}{of}"


def as_middleware(plugin: object) -> tuple[SlimeMiddleware, ...]:
    """One middleware or a list of them, as a tuple. `InvalidMiddlewareHandlerType` for anything else."""
    if plugin is None:
        return ()
    listed = tuple(plugin) if isinstance(plugin, Iterable) and not isinstance(plugin, str | Mapping) else (plugin,)
    for each in listed:
        if isinstance(each, type):
            raise InvalidMiddlewareHandlerType(f"{each.__name__} is a class: give an instance, {each.__name__}()")
        if not isinstance(each, SlimeMiddleware):
            raise InvalidMiddlewareHandlerType(
                f"{each!r} is not middleware: give an instance of a class that extends SlimeMiddleware"
            )
        check_methods(each)
    return listed


def check_methods(middleware: SlimeMiddleware) -> None:
    """`InvalidMiddlewareHandlerType` for middleware with no method, or one whose name is mistyped: it would do
    nothing.
    """
    kind = type(middleware)
    missing = [name for name in _METHODS if not _overrides(middleware, name)]
    for name in _METHODS:
        if name not in missing:
            try:
                check = check_generator if name.startswith(_AROUND) else check_handler
                check(getattr(middleware, name), f"{kind.__qualname__}.{name}")
            except InvalidHandler as error:
                raise InvalidMiddlewareHandlerType(str(error)) from error
    for name in _PLAIN:
        sync, later = _own(middleware, name), _own(middleware, f"{name}_async")
        if later is not None and not needs_loop(later):
            raise InvalidMiddlewareHandlerType(f"{kind.__qualname__}.{name}_async is a plain def: make it async def")
        if later is not None and sync is not None and needs_loop(sync):
            raise InvalidMiddlewareHandlerType(
                f"{kind.__qualname__}.{name} is async def beside {name}_async: make it a plain def, for plain handlers"
            )
    if not missing or middleware.only_declares:
        return
    has_none = len(missing) == len(_METHODS)
    own = [name for name in dir(kind) if not name.startswith("__") and not hasattr(SlimeMiddleware, name)]
    for name in own:
        plain = name.lower().strip("_")
        half = "_async" if "async" in plain else ""
        bare = plain.replace("async", "").replace("__", "_").strip("_")
        meant = _SHORT.get(bare) if has_none else None
        if meant is None and sorted(re.findall("after|around|before|middle(?:ware)?|mw", bare)) in _REORDERED:
            meant = next(each for each in _PLAIN if each[7:] in bare)
        if meant is not None:
            meant += half
        if meant not in missing:
            meant = closest(plain, missing, cutoff=0.7 if has_none else 0.9)
        if meant is not None and callable(getattr(kind, name)):
            raise InvalidMiddlewareHandlerType(
                f"{kind.__qualname__}.{name} would never run: name it {meant} (the methods of middleware are "
                "middle_before, middle_after and middle_around, and the same with _async)"
            )
    if has_none:
        raise InvalidMiddlewareHandlerType(
            f"{kind.__qualname__} has neither middle_before nor middle_after nor middle_around and would do nothing: "
            "define one of them in the class"
        )


def check_sync_or_async(middleware: SlimeMiddleware, route: RouteSpec) -> None:
    """`InvalidMiddlewareHandlerType` for middleware that has only an asynchronous half for a plain handler."""
    if route.is_async:
        return
    for name in _PLAIN:
        sync, later = _own(middleware, name), _own(middleware, f"{name}_async")
        if sync is None and later is not None:
            raise InvalidMiddlewareHandlerType(
                f"{type(middleware).__name__} has {name}_async alone and cannot serve the plain def {route}: "
                f"give it a plain {name} as well, or make the handler async def"
            )
        if sync is not None and needs_loop(sync):
            raise InvalidMiddlewareHandlerType(
                f"{type(middleware).__name__}.{name} is async def and cannot serve the plain def {route}: make the "
                f"handler async def, or the method a plain def, which serves both; or name it {name}_async and add a "
                f"plain {name}"
            )


def layer_of(middleware: SlimeMiddleware, owner: str = "") -> Layer:
    """The methods that a middleware overrides, as a layer. `owner` is the plugin that has brought it."""
    before, after, around, before_async, after_async, around_async = (_own(middleware, name) for name in _METHODS)
    resources = as_keys(middleware.resources, f"the middleware {type(middleware).__name__}")
    return Layer(before, after, around, before_async, after_async, around_async, owner, resources)


def _overrides(middleware: SlimeMiddleware, name: str) -> bool:
    return getattr(type(middleware), name) is not getattr(SlimeMiddleware, name)


def _own(middleware: SlimeMiddleware, name: str) -> Handler | None:
    """Its method of that name, `None` where it has only that of the base."""
    return getattr(middleware, name) if _overrides(middleware, name) else None


def innermost(targets: Sequence[tuple[SlimeMiddleware | None, Layer]]) -> tuple[Layer, ...]:
    """The layers, outermost first, without those that one further in replaces."""
    kept: list[Layer] = []
    seen: set[type] = set()
    for middleware, layer in reversed(targets):
        if middleware is not None and middleware.replaces_outer:
            owner = next((each for each in type(middleware).__mro__ if "replaces_outer" in vars(each)), SlimeMiddleware)
            if owner in seen:
                continue
            seen.add(owner)
        kept.append(layer)
    return tuple(reversed(kept))


def targets_of(registrations: Sequence[Registration]) -> tuple[tuple[SlimeMiddleware | None, Layer], ...]:
    """Layers, outermost first, for registrations of one scope in the order of their declaration, each with the
    middleware it is of, `None` for a function.

    `SlimeMiddleware` comes outside of functions, and functions around outside of the others. Functions run in the order
    they were declared in, before and after alike, and an after runs whatever the befores of its scope did.
    """
    middleware = [each for each in registrations if each.middleware is not None]
    around = [each for each in registrations if each.position == "around" and each.middleware is None]
    afters = [each for each in reversed(registrations) if each.position == "after"]
    befores = [each for each in registrations if each.position == "before"]
    return tuple((each.middleware, each.layer()) for each in (*middleware, *around, *afters, *befores))
