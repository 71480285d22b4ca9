"""From the handler that a route was declared with to what its middleware surrounds: the wrappers of plugins inside, the
kind of the route outside.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slimeweb._dev_checks import with_warnings
from slimeweb._known_plugins import hint
from slimeweb._plugin_manager import Plugin, PluginManager
from slimeweb.errors import InvalidHandler, PluginError
from slimeweb.handlers import Handler, check_handler, describe, is_coroutine_function, misfit
from slimeweb.resources import ResourceKey
from slimeweb.routing import HandlerWrapper, RouteKind, RouteSpec

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest
    from slimeweb.app import Slime

__all__ = ["RouteHandler", "check_signature", "route_handler"]


@dataclass(frozen=True, slots=True)
class RouteHandler:
    """What takes the place of a route's handler: `made_by` names the plugins that had a part in it, empty where none
    had. `resources` are what it needs, `checks` run before they are made.
    """

    function: Handler
    made_by: str
    resources: tuple[ResourceKey, ...]
    checks: tuple[Callable[[Any, Any], object], ...]


def check_signature(app: Slime, plugins: PluginManager, route: RouteSpec) -> None:
    """`InvalidHandler` for a handler that does not take `(req, resp)`, unless a plugin's wrapper claims it, and for a
    generator that the route's kind does not take.
    """
    role = f"the route {route.path}"
    is_usual = route.takes_request_and_response
    try:
        if is_usual:
            check_handler(route.handler, role)
            return
    except InvalidHandler:
        if _claim(app, plugins, route):
            return
        kinds = plugins.each("slime_route_kind", RouteKind, app=app, route=route)
        if not any(kind.takes_generators for _, kind in kinds):
            raise
        check_handler(route.handler, role, generators=True)
    else:
        if not _claim(app, plugins, route):
            advice = hint("handlers", "typed", plugins.left_out, shown="one of other parameters")
            raise InvalidHandler(f"{misfit(route.handler, role)}: {advice}")


def _claim(app: Slime, plugins: PluginManager, route: RouteSpec) -> bool:
    """Whether a plugin calls the handler as its signature wants it, and finds nothing wrong with that."""
    for plugin, wrapper in _wrappers(app, plugins, route):
        if wrapper.claims_signature:
            if wrapper.check_route is not None:
                _call(plugin, f"handler wrapper {wrapper.name!r}", wrapper.check_route, route)
            return True
    return False


def route_handler(app: Slime, plugins: PluginManager, route: RouteSpec, kinds: dict[str, Plugin]) -> RouteHandler:
    """The handler inside of its wrappers, and these inside of the route's kind. `kinds` has the owner of each kind so
    far.

    `PluginError` names the plugin that refuses the route, or makes something else of it than a handler.
    """
    handler = route.handler
    made_by = []
    wrappers = _wrappers(app, plugins, route)
    if inspect.isasyncgenfunction(handler) and not any(wrapper.claims_signature for _, wrapper in wrappers):
        handler = _returning(handler)
    for plugin, wrapper in reversed(wrappers):
        handler = _wrapped(plugin, f"handler wrapper {wrapper.name!r}", wrapper, route, handler)
        made_by.append(f"the wrapper {wrapper.name!r} of {plugin}")
    found = _kind(app, plugins, route, kinds)
    if found is not None:
        plugin, kind = found
        handler = _wrapped(plugin, f"route kind {kind.name!r}", kind, route, handler)
        made_by.append(f"the route kind {kind.name!r} of {plugin}")
    elif app.dev:
        handler = with_warnings(handler, route)
    resources = tuple(key for _, wrapper in wrappers for key in wrapper.resources)
    checks = tuple(wrapper.check for _, wrapper in wrappers if wrapper.check is not None)
    return RouteHandler(handler, ", ".join(made_by), (*route.resources, *resources), checks)


def _returning(handler: Handler) -> Handler:
    """A coroutine function that returns the asynchronous generator: as such the route counts."""

    async def call(req: SlimeRequest, resp: Any) -> Any:
        return handler(req, resp)

    return functools.wraps(handler)(call)


def _wrappers(app: Slime, plugins: PluginManager, route: RouteSpec) -> list[tuple[Plugin, HandlerWrapper]]:
    """The wrappers of a route, outermost first: in the order of the plugins, but the one that calls the handler by its
    own signature is the innermost.
    """
    found = plugins.each("slime_wrap_handler", HandlerWrapper, app=app, route=route)
    claiming = [each for each in found if each[1].claims_signature]
    if len(claiming) > 1:
        claiming = [each for each in claiming if not each[1].gives_way] or claiming
    if len(claiming) > 1:
        both = " and ".join(f"{plugin} ({wrapper.name})" for plugin, wrapper in claiming)
        raise PluginError(f"the handler of {route} cannot be called in two ways: {both} both claim its signature")
    return [*(each for each in found if not each[1].claims_signature), *claiming]


def _kind(
    app: Slime, plugins: PluginManager, route: RouteSpec, kinds: dict[str, Plugin]
) -> tuple[Plugin, RouteKind] | None:
    claims = plugins.each("slime_route_kind", RouteKind, app=app, route=route)
    if not claims:
        return None
    if len(claims) > 1:
        both = " and ".join(f"{plugin} ({kind.name})" for plugin, kind in claims)
        raise PluginError(f"the route {route} cannot be of two kinds at once: {both} both claim it")
    ((plugin, kind),) = claims
    owner = kinds.setdefault(kind.name, plugin)
    if owner is not plugin:
        raise PluginError(f"{plugin} has a route kind {kind.name!r}, which {owner} has already")
    return plugin, kind


def _wrapped(
    plugin: Plugin, what: str, wrapper: HandlerWrapper | RouteKind, route: RouteSpec, handler: Handler
) -> Handler:
    made: Handler = _call(plugin, what, wrapper.wrap, route, handler)
    if not callable(made) or is_coroutine_function(made) is not route.is_async:
        raise PluginError(
            f"{plugin}: its {what} made {describe(made)} of {describe(route.handler)}: "
            f"return {'a coroutine function' if route.is_async else 'a plain function'}, as the handler is"
        )
    try:
        check_handler(made, f"what the {what} makes of {describe(route.handler)}")
    except InvalidHandler as error:
        raise PluginError(f"{plugin}: {error}") from error
    return made


def _call(plugin: Plugin, what: str, function: Callable[..., Any], route: RouteSpec, *arguments: object) -> Any:
    """Calls what a plugin has given for a route. What it raises refuses the route."""
    try:
        return function(route, *arguments)
    except (Exception, SystemExit) as error:
        if plugin.failure("", error) is error:
            # The plugin's own kind of error, which says more than that.
            raise
        raise PluginError(f"{plugin}: its {what} refuses the route {route}: {error}") from error
