"""From declarations to compiled routes: all that is decided once, when the application starts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from slimeweb._compiled import FILTER_LIMIT, CompiledRoute
from slimeweb._error_handling import ErrorResponder
from slimeweb._middleware import (
    EVERY_PATH,
    Registration,
    SlimeMiddleware,
    as_middleware,
    check_methods,
    check_sync_or_async,
    innermost,
    layer_of,
    targets_of,
)
from slimeweb._middleware_stack import Layer, OnError, build_middleware_stack
from slimeweb._plugin_manager import Plugin, PluginManager
from slimeweb._request_resources import (
    ending,
    finish,
    finish_async,
    making,
    nothing,
    nothing_async,
    recording,
    settling,
)
from slimeweb._resource_graph import ResourceGraph
from slimeweb._resource_steps import Step, step_of
from slimeweb._response_head import OnHead, head_function
from slimeweb._route_handler import check_signature, route_handler
from slimeweb._route_table import RouteTable
from slimeweb.body_filter import BodyFilter
from slimeweb.errors import (
    ConfigError,
    MultipleRouteException,
    PluginError,
    RouteHandlerNotFoundException,
    SlimeError,
)
from slimeweb.handlers import Handler, describe
from slimeweb.methods import ANY, covers, overlap
from slimeweb.resources import ResourceKey
from slimeweb.routing import RouteSpec

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.app import Slime

__all__ = ["Compiler"]

_logger = logging.getLogger("slimeweb")

_STAGES = ("content", "coding")
"""The stages of body filters, in the order in which bodies go through them."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """Everything that decides how the routes of an application answer."""

    app: Slime
    plugins: PluginManager
    routes: tuple[RouteSpec, ...]
    registrations: tuple[Registration, ...]
    around: tuple[tuple[Plugin, SlimeMiddleware], ...]
    option_values: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    errors: ErrorResponder
    resources: ResourceGraph
    body_size: int
    on_unrouted_head: OnHead | None

    def all_routes(self) -> RouteTable:
        """The application's routes, and then those of plugins.

        `MultipleRouteException` when a plugin's route is in the way of another, `PluginError` when it will not do.
        """
        table = RouteTable(self.routes)
        for plugin, route in self.plugins.items("slime_routes", RouteSpec, app=self.app):
            try:
                table.add(self._of_plugin(plugin, route))
            except MultipleRouteException as error:
                raise MultipleRouteException(f"{plugin} has a route of another's path: {error}") from error
        return table

    def compiled_routes(self, table: RouteTable) -> tuple[CompiledRoute, ...]:
        """Each route compiled (several times, where methods differ in their middleware), and OPTIONS of each path.

        `PluginError` for a plugin that breaks the contract, `InvalidMiddlewareHandlerType` for middleware that cannot
        serve a route.
        """
        self._check_reach(table)
        kinds: dict[str, Plugin] = {}
        compiled_routes = [compiled for route in table for compiled in self._route(route, kinds, table)]
        shapes = dict.fromkeys(route.pattern.shape for route in table)
        compiled_routes += [compiled for shape in shapes for compiled in self._options(table.at(shape))]
        return tuple(compiled_routes)

    def _of_plugin(self, plugin: Plugin, route: RouteSpec) -> RouteSpec:
        """A route that a plugin has declared, checked as one of the application is."""
        try:
            options = MappingProxyType(self.option_values(route.options))
            route = replace(route, options=options, middleware=as_middleware(route.middleware))
            check_signature(self.app, self.plugins, route)
            for middleware in route.middleware:
                check_sync_or_async(middleware, route)
        except (SlimeError, TypeError, ValueError) as error:
            raise PluginError(f"{plugin}: its route {route} will not do: {error}") from error
        return route

    def fallback(self, has_handlers: bool) -> CompiledRoute | None:
        """What answers where no route does; `None` when the server can answer that by itself."""
        everywhere = self._everywhere()
        if not everywhere and not has_handlers and not self.around and self.on_unrouted_head is None:
            return None
        return self._synthetic("/{*path}", (ANY,), self._layers(everywhere), self.errors.refuse)

    def _everywhere(self) -> list[Registration]:
        return [each for each in self.registrations if each.is_app_wide and ANY in each.methods]

    def files(self) -> CompiledRoute | None:
        """What answers with a static file; `None` when neither middleware nor plugins have a part in them, so that the
        server sends them by itself.
        """
        covering = [
            each
            for each in self.registrations
            if each.is_app_wide
            and each.middleware is not None
            and each.middleware.covers_files
            and (covers(each.methods, "GET") or each.answers_options)
        ]
        outermost = [(plugin, middleware) for plugin, middleware in self.around if middleware.covers_files]
        if not covering and not outermost and self.on_unrouted_head is None:
            return None

        def send(req: SlimeRequest, resp: SlimeResponse) -> None:
            """Does nothing: the server has found the file already."""

        return self._synthetic("/{*path}", (ANY,), self._layers(covering, outermost=outermost), send)

    def _route(self, route: RouteSpec, kinds: dict[str, Plugin], table: RouteTable) -> Iterable[CompiledRoute]:
        body_size = self.body_size if route.body_size is None else route.body_size
        # Plugins see the size that applies, not `None`.
        route = replace(route, body_size=body_size)
        made = route_handler(self.app, self.plugins, route, kinds)
        steps = self._steps(made.resources, f"the route {route}")
        handler = made.function
        if steps or made.checks:
            handler = making(handler, steps, made.checks, is_async=route.is_async)
        self._waits(steps, route.is_async)
        _check_fit("slime_app_middleware", self.around, route)
        brought = self.plugins.items("slime_middleware", SlimeMiddleware, app=self.app, route=route)
        _check_fit("slime_middleware", brought, route)
        filters = self._filters(route)
        on_head = head_function(self.app, self.plugins, route)
        for methods, registrations in self._by_middleware(route):
            for each in registrations:
                each.check_route(route)
            layers = self._layers(registrations, route.middleware, brought)
            compiled = CompiledRoute(
                pattern=route.path,
                methods=methods,
                endpoint=self._stack(layers, handler, is_async=route.is_async, ends=bool(steps)),
                is_async=route.is_async,
                body_size=body_size,
                one_loop=route.one_loop,
                stream_body=route.stream_body,
                # A plain handler that reads a body as it arrives waits for its client.
                blocking=True if route.stream_body else route.blocking,
                filters=filters,
                content_filters=sum(_stage(each) == "content" for each in filters),
                refusal=self._refusal(route, methods, layers, on_head),
                wrong_method=self._wrong_method(table.at(route.pattern.shape)) if "OPTIONS" in methods else None,
                filter_limit=min((getattr(each, "loop_limit", FILTER_LIMIT) for each in filters), default=FILTER_LIMIT),
                on_head=on_head,
                made_by=made.made_by,
            )
            yield replace(compiled, expecting=self._expecting(compiled, layers, handler, ends=bool(steps)))

    def _refusal(
        self, route: RouteSpec, methods: tuple[str, ...], layers: Sequence[Layer], on_head: OnHead | None
    ) -> CompiledRoute | None:
        """What answers a request that does not get to the handler, since its body is not taken or there is no thread
        for it; `None` when the server can answer it alone.
        """
        if not (layers or self.errors.is_customised_for(route) or on_head is not None):
            return None
        endpoint = self._stack(layers, self._refuse(route.is_async), is_async=route.is_async)
        return CompiledRoute(
            pattern=route.path,
            methods=methods,
            endpoint=endpoint,
            is_async=route.is_async,
            body_size=self.body_size,
            # `blocking` is about the handler, which is not called here.
            blocking=False if route.blocking is False else None,
            on_head=on_head,
        )

    def _expecting(
        self, compiled: CompiledRoute, layers: Sequence[Layer], handler: Handler, *, ends: bool
    ) -> CompiledRoute | None:
        """The plan for a request whose client waits with the body until it is asked for it; `None` where nothing runs
        before the handler, or the handler takes the body piece by piece.
        """
        if compiled.stream_body or not any(layer.is_on_way_in(is_async=compiled.is_async) for layer in layers):
            return None
        if compiled.is_async:
            endpoint = _entered_async(self._stack(layers, _with_body_async(handler), is_async=True, ends=ends))
            return replace(compiled, endpoint=endpoint)
        # Its thread waits for the client.
        endpoint = self._stack(layers, _with_body(handler), is_async=False, ends=ends)
        return replace(compiled, endpoint=endpoint, blocking=True)

    def _refuse(self, is_async: bool) -> Handler:
        refuse = self.errors.refuse

        async def refuse_async(req: SlimeRequest, resp: SlimeResponse) -> None:
            refuse(req, resp)

        return refuse_async if is_async else refuse

    def _filters(self, route: RouteSpec) -> tuple[BodyFilter, ...]:
        filters: list[BodyFilter] = []
        for plugin, found in self.plugins.each("slime_body_filter", object, app=self.app, route=route):
            if not callable(getattr(found, "begin", None)):
                raise PluginError(
                    f"{plugin}: slime_body_filter returned {found!r}, which has no method begin: return a BodyFilter"
                )
            if _stage(found) not in _STAGES:
                raise PluginError(
                    f"{plugin}: slime_body_filter returned {found!r}, whose stage is {_stage(found)!r}: use 'content' "
                    "for what changes a body's meaning or form, 'coding' for what sets Content-Encoding"
                )
            filters.append(cast(BodyFilter, found))
        # Sorting is stable: within a stage they stay in the plugins' order.
        return tuple(sorted(filters, key=lambda each: _stage(each) == "coding"))

    def _layers(
        self,
        registrations: Sequence[Registration],
        own: Sequence[SlimeMiddleware] = (),
        brought: Sequence[tuple[Plugin, SlimeMiddleware]] = (),
        outermost: Sequence[tuple[Plugin, SlimeMiddleware]] | None = None,
    ) -> tuple[Layer, ...]:
        """What goes around one answer, outermost first: `outermost` (what plugins put around everything, unless it is
        given), the registrations of the application, of what is below a path, and of routers, `brought` (by plugins for
        the route), `own` (the route's), and the registrations of its path.
        """
        outermost = self.around if outermost is None else outermost
        wide = [each for each in registrations if not each.is_of_one_path]
        scopes = sorted({each.scope for each in wide} - {0})
        return innermost(
            (
                *((each, layer_of(each, str(plugin))) for plugin, each in outermost),
                *targets_of([each for each in wide if each.scope == 0]),
                *(
                    (middleware, replace(layer, is_of_route=True))
                    for middleware, layer in (
                        *(
                            target
                            for scope in scopes
                            for target in targets_of([each for each in wide if each.scope == scope])
                        ),
                        *((each, layer_of(each, str(plugin))) for plugin, each in brought),
                        *((each, layer_of(each)) for each in own),
                        *targets_of([each for each in registrations if each.is_of_one_path]),
                    )
                ),
            )
        )

    def _check_reach(self, table: RouteTable) -> None:
        """Looks whether what was declared for a path and all below it has routes, and warns of others that answer
        there as well.
        """
        for each in self.registrations:
            if each.is_of_one_path or each.path == EVERY_PATH:
                continue
            if not any(each.is_around(route) for route in table):
                raise RouteHandlerNotFoundException(f"{each} has no route: there is none at that path or below it")
            for route in table:
                if each.include is None and each.can_reach(route.pattern):
                    _logger.warning("%s does not hold for %s, which can match paths there as well", each, route)

    def _by_middleware(self, route: RouteSpec) -> list[tuple[tuple[str, ...], list[Registration]]]:
        """The route's methods, in groups that share the same middleware."""
        here = [each for each in self.registrations if each.is_around(route) and overlap(each.methods, route.methods)]
        methods = dict.fromkeys(route.methods)
        if ANY in methods:
            # A method that some middleware names goes apart from all the others.
            named = [method for each in here for method in each.methods]
            methods = dict.fromkeys((*named, ANY))
        groups: dict[tuple[int, ...], tuple[list[str], list[Registration]]] = {}
        for method in methods:
            chosen = [each for each in here if each.is_for(route, method)]
            members, _ = groups.setdefault(tuple(map(id, chosen)), ([], chosen))
            members.append(method)
        return [(tuple(members), chosen) for members, chosen in groups.values()]

    def _options(self, routes: Sequence[RouteSpec]) -> Iterable[CompiledRoute]:
        """The answer to OPTIONS for a path whose routes have none: 204 with Allow, inside of their middleware."""
        methods = {method for route in routes for method in route.methods}
        if methods & {ANY, "OPTIONS"}:
            return
        allow = ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))

        def answer(req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("Allow", allow)
            resp.empty(204)

        pattern = routes[0].pattern
        here = {
            route: [each for each in self.registrations if each.is_around(route) and each.answers_options]
            for route in routes
        }
        own = dict.fromkeys(middleware for route in routes for middleware in route.middleware)
        layers = self._layers(tuple(dict.fromkeys(each for route in routes for each in here[route])), tuple(own))
        # A preflight asks for one method, whose route may have middleware of its own.
        differ = any(each.answers_options for each in own) or any(here[route] != here[routes[0]] for route in routes)
        asked = {
            method: self._layers(here[route], route.middleware)
            for route in routes
            for method in (*route.methods, *(("HEAD",) if "GET" in route.methods and "HEAD" not in methods else ()))
            if len(routes) > 1 and differ
        }
        compiled = self._synthetic(pattern.text, ("OPTIONS",), layers, answer, asked)
        yield replace(compiled, wrong_method=self._wrong_method(routes))

    def _wrong_method(self, routes: Sequence[RouteSpec]) -> CompiledRoute | None:
        """What answers methods that a path does not have, where its middleware takes part in that: what answers
        preflights, for a page to see the 405. `None` where it is as anywhere else.
        """
        own = dict.fromkeys(middleware for route in routes for middleware in route.middleware)
        brought = [middleware for middleware in own if middleware.answers_options]
        at_path = [
            each
            for each in self.registrations
            if not each.is_app_wide
            and any(each.is_around(route) for route in routes)
            and getattr(each.middleware, "answers_options", False)
        ]
        if not brought and not at_path:
            return None
        layers = self._layers((*self._everywhere(), *at_path), brought)
        # Without a pattern: what it answers has no route, and says so.
        return self._synthetic("", (ANY,), layers, self.errors.refuse)

    def _synthetic(
        self,
        pattern: str,
        methods: tuple[str, ...],
        layers: Sequence[Layer],
        answer: Callable[[SlimeRequest, SlimeResponse], None],
        asked: Mapping[str, Sequence[Layer]] = MappingProxyType({}),
    ) -> CompiledRoute:
        """A compiled answer of slimeweb's own, a coroutine function where its middleware needs one. `asked` are
        other layers, by the method that a preflight asks for.
        """
        is_async = any(self._needs_loop(layer) for each in (layers, *asked.values()) for layer in each)

        async def answer_async(req: SlimeRequest, resp: SlimeResponse) -> None:
            answer(req, resp)

        handler: Handler = answer_async if is_async else answer
        endpoint = self._stack(layers, handler, is_async=is_async)
        if asked:
            others = {method: self._stack(each, handler, is_async=is_async) for method, each in asked.items()}
            endpoint = _by_asked(endpoint, others, is_async=is_async)
        # The body is not used; the server discards it, up to this size.
        return CompiledRoute(
            pattern=pattern,
            methods=methods,
            endpoint=endpoint,
            is_async=is_async,
            body_size=self.body_size,
            on_head=self.on_unrouted_head,
        )

    def _stack(self, layers: Sequence[Layer], handler: Handler, *, is_async: bool, ends: bool = False) -> Handler:
        """The handler inside of its middleware; `ends` is whether it makes resources, which are to be ended."""
        on_error: OnError = self.errors.on_error
        on_after_error: OnError = self.errors.on_after_error
        if not (ends or any(layer.resources for layer in layers)):
            return build_middleware_stack(layers, handler, on_error, on_after_error, is_async=is_async)
        recording_error, recording_after_error = recording(on_error), recording(on_after_error)
        outer: list[Layer] = []
        inner: list[Layer] = []
        for layer in layers:
            kind = inner if layer.is_of_route else outer
            if layer.resources:
                kind.append(self._making_layer(layer, is_async=is_async))
            kind.append(layer)
        inside = build_middleware_stack(inner, handler, recording_error, recording_after_error, is_async=is_async)
        if any(layer.resources for layer in outer):
            on_error, on_after_error = recording_error, recording_after_error
        ended = ending(inside, is_async=is_async)
        endpoint = build_middleware_stack(outer, ended, on_error, on_after_error, is_async=is_async)
        return settling(endpoint, is_async=is_async) if outer or is_async else endpoint

    def _needs_loop(self, layer: Layer) -> bool:
        return layer.is_async or any(step.is_async for step in self._steps(layer.resources, _asker(layer)))

    def _making_layer(self, layer: Layer, *, is_async: bool) -> Layer:
        """What goes around middleware that asks for resources. They end here where the handler is not reached."""
        steps = self._steps(layer.resources, _asker(layer))
        self._waits(steps, is_async)
        before = making(nothing_async if is_async else nothing, steps, (), is_async=is_async)
        return Layer(before, None if layer.is_of_route else (finish_async if is_async else finish))

    def _steps(self, keys: Sequence[ResourceKey], asker: str) -> tuple[Step, ...]:
        return tuple(step_of(each, self.app) for each in self.resources.requests(keys, asker))

    def _waits(self, steps: Sequence[Step], is_async: bool) -> None:
        """`ConfigError` for asynchronous resources of a plain handler."""
        for step in steps:
            if step.is_async and not is_async:
                raise ConfigError(
                    f"the resource {step.resource} is asynchronous, and a plain handler cannot wait for it: "
                    "make the handler async def"
                )


def _asker(layer: Layer) -> str:
    first = next(filter(None, (layer.before, layer.after, layer.before_async, layer.after_async)), None)
    return f"the middleware {describe(first)}"


def _stage(body_filter: object) -> object:
    return getattr(body_filter, "stage", "content")


def _check_fit(hook: str, found: Iterable[tuple[Plugin, SlimeMiddleware]], route: RouteSpec) -> None:
    """`PluginError` for middleware of plugins that cannot serve a route."""
    for plugin, middleware in found:
        try:
            check_methods(middleware)
            check_sync_or_async(middleware, route)
        except Exception as error:
            raise PluginError(f"{plugin}: {hook} does not fit: {error}") from error


def _with_body(handler: Handler) -> Handler:
    """The handler, called once the body is there."""

    def endpoint(req: SlimeRequest, resp: SlimeResponse) -> Any:
        req._wait_for_body()
        return handler(req, resp)

    return endpoint


def _with_body_async(handler: Handler) -> Handler:
    async def endpoint(req: SlimeRequest, resp: SlimeResponse) -> Any:
        await req._body_arrival()
        # It has come, or this says why not.
        req._wait_for_body()
        return await handler(req, resp)

    return endpoint


def _entered_async(endpoint: Handler) -> Handler:
    """The endpoint, entered with the body in hand where middleware is known to read it: it cannot wait in a loop."""

    async def entered(req: SlimeRequest, resp: SlimeResponse) -> None:
        if req._is_body_first:
            await req._body_arrival()
        await endpoint(req, resp)

    return entered


def _by_asked(otherwise: Handler, endpoints: Mapping[str, Handler], *, is_async: bool) -> Handler:
    """Picks the endpoint of the method that a preflight asks for."""

    def choose(req: SlimeRequest) -> Handler:
        return endpoints.get(req.header.get("access-control-request-method", ""), otherwise)

    def endpoint(req: SlimeRequest, resp: SlimeResponse) -> None:
        choose(req)(req, resp)

    async def endpoint_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        await choose(req)(req, resp)

    return endpoint_async if is_async else endpoint
