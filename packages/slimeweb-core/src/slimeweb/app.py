"""`Slime`: the application. It collects what users declare and assembles the parts that do the work."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from slimeweb._background import PeriodicFunction
from slimeweb._compiled import CompiledApp
from slimeweb._compiler import Compiler
from slimeweb._dev_checks import warn_no_routes
from slimeweb._error_handlers import ErrorHandlers, ErrorKey
from slimeweb._error_handling import ErrorResponder, Unhandled
from slimeweb._gil import describe_gil, gil_advice
from slimeweb._installed.members import AppMembers, RouteHandler, RouteOptions, ServeOptions
from slimeweb._known_plugins import hint
from slimeweb._lifespan import Lifespan
from slimeweb._logging import configure_logging
from slimeweb._main_module import check_one_module, name_main_module
from slimeweb._members import request_members, response_members
from slimeweb._middleware import EVERY_PATH, Position, Registration, SlimeMiddleware, as_middleware
from slimeweb._observers import ExceptionObservers, sent_observer
from slimeweb._place import caller_place
from slimeweb._plugin_manager import PluginManager
from slimeweb._resource_graph import ResourceGraph
from slimeweb._resource_life import ResourceLifespan
from slimeweb._resource_scope import ResourceScope
from slimeweb._response_head import head_function
from slimeweb._route_handler import check_signature
from slimeweb._route_table import RouteTable
from slimeweb._secret_keys import SecretKeys
from slimeweb._server import Serving
from slimeweb._settings import ServeConfig, mistyped, resolve, setting_names
from slimeweb._signals import run_in_foreground
from slimeweb._static import StaticMounts
from slimeweb._urls import UrlTable
from slimeweb.errors import ConfigError
from slimeweb.handlers import check_generator, check_handler, check_parentheses
from slimeweb.methods import parse_methods
from slimeweb.options import RouteOption, ServeOption
from slimeweb.resources import Resource, ResourceKey, Scope, resource
from slimeweb.router import Declarations, Include, Router, check_router
from slimeweb.routing import RouterArguments, RouteSpec
from slimeweb.spelling import suggestion
from slimeweb.state import State

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.tls import SlimeTls

__all__ = ["Slime"]

# What decorators take and give back as it is.
H = TypeVar("H", bound=RouteHandler)
M = TypeVar("M", bound="Callable[[SlimeRequest, SlimeResponse], Any]")
ErrorFunction = TypeVar(
    "ErrorFunction",
    bound="Callable[[SlimeRequest, SlimeResponse, Any], Any] | Callable[[SlimeRequest, SlimeResponse], Any]",
)
StartFunction = TypeVar("StartFunction", bound=Callable[..., Any])
ResourceFunction = TypeVar("ResourceFunction", bound=Callable[..., Any])
EndFunction = TypeVar("EndFunction", bound=Callable[[BaseException | None], Any])

_DECLARED = ("_routes", "_registrations", "_errors", "_lifespan", "_mounts", "_included", "_resources")
"""The attributes that hold what has been declared."""

_logger = logging.getLogger("slimeweb")


class Slime(Declarations, AppMembers):
    """A web application.

        app = Slime(__file__)

        @app.route(path="/")
        def home(req, resp):
            return resp.plain("Hello World from slime")

        if __name__ == "__main__":
            app.serve()

    `file` is the module's own `__file__`: `static/` and `templates/` are looked for beside it.

    `plugins` are plugin objects or modules. One that has the name of an installed plugin takes its place; the others
    are called after those that are installed. `without` has the names of plugins to leave out. `installed` is whether
    installed plugins are used, or the names of those that are, all others left out.

    `ConfigError` for a name that no plugin has, `PluginError` when a plugin breaks the contract.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        plugins: Iterable[object] = (),
        *,
        without: Iterable[str] = (),
        installed: bool | Iterable[str] = True,
    ) -> None:
        self._file = Path(file).resolve()
        self._state = State()
        self._secrets = SecretKeys()
        self._routes = RouteTable()
        self._served_routes: RouteTable | None = None
        self._urls: UrlTable | None = None
        self._registrations: tuple[Registration, ...] = ()
        self._errors = ErrorHandlers()
        self._included: tuple[Router, ...] = ()
        self._lifespan = Lifespan()
        self._resources: dict[str, Resource] = {}
        self._mounts = StaticMounts(self._file.parent)
        self._config: ServeConfig | None = None
        self._serving: Serving | None = None
        self._was_served = False
        self._is_ready = False
        self._lock = threading.Lock()
        self._members: Mapping[str, Any] = MappingProxyType({})
        self._plugins = PluginManager(plugins, without=without, installed=installed)
        self._observers = ExceptionObservers(self, self._plugins)
        self._route_options = self._plugins.named("slime_route_options", RouteOption, _parameters(self.route))
        self._serve_options = self._plugins.named("slime_serve_options", ServeOption, setting_names())
        self._app_members = self._plugins.table("slime_app_members", _taken_in(Slime), app=self)
        self._members = {**self._app_members, **self._declaring_members(self)}
        name_main_module(self._file)

    @property
    def name(self) -> str:
        """The name of the application's file, without `.py`."""
        return self._file.stem

    @property
    def file(self) -> Path:
        """The application's file."""
        return self._file

    @property
    def root(self) -> Path:
        """The directory of the application's file."""
        return self._file.parent

    @property
    def state(self) -> State:
        """What all requests share."""
        return self._state

    @property
    def secret_key(self) -> str:
        """The key that signs cookies: `serve(secret_key=…)`, or one made up for this process."""
        return self._secrets.first()

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Every key that a cookie may be signed with, the one that signs first."""
        return self._secrets.all()

    @property
    def dev(self) -> bool:
        """Whether it is served with `dev=True`. False before it starts."""
        return self._config is not None and self._config.server.dev

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it answers while it is served, start functions included: `http://127.0.0.1:3000`, `unix:/path`."""
        serving = self._serving
        return () if serving is None else tuple(serving.urls)

    @property
    def root_path(self) -> str:
        """What stands before its paths where a proxy has it, `serve(root_path="/app")`; empty before it starts."""
        return "" if self._config is None else self._config.server.root_path

    @property
    def _own_host(self) -> str:
        """The host of requests that do not say which they want."""
        hosts = [url.partition("://")[2] for url in self.urls]
        return next((host for host in hosts if host), "localhost")

    @property
    def was_served(self) -> bool:
        """Whether `serve()` or a `TestClient` has served it, does so, or has tried."""
        return self._was_served

    @property
    def serve_options(self) -> Mapping[str, Any]:
        """The values of the plugins' options of `serve()`; their defaults before it starts."""
        if self._config is None:
            return MappingProxyType({name: option.default for name, option in self._serve_options.items()})
        return self._config.options

    @property
    def routes(self) -> tuple[RouteSpec, ...]:
        """The routes declared so far, in order; while the application is served, those of plugins after them."""
        return tuple(self._routes if self._served_routes is None else self._served_routes)

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """The middleware declared so far with `use` and `middle_before`, `middle_after`, `middle_around`, in order."""
        return self._registrations

    @property
    def plugins(self) -> PluginManager:
        """The plugins of this application, and what they add."""
        return self._plugins

    if not TYPE_CHECKING:
        # Hidden from type checkers, which know from `AppMembers` what there is.
        def __getattr__(self, name: str) -> Any:
            if not name.startswith("_"):
                members = self._members
                if name in members:
                    return members[name]
                advice = hint("app_members", name, self._plugins.left_out)
                if advice:
                    raise AttributeError(f"Slime has no attribute {name!r} yet: {advice}", name=name, obj=self)
            raise AttributeError(f"Slime has no attribute {name!r}", name=name, obj=self)

    def route(
        self,
        path: str = "/",
        method: str | Iterable[str] = "GET",
        *,
        name: str | None = None,
        body_size: int | None = None,
        plugin: SlimeMiddleware | Sequence[SlimeMiddleware] | None = None,
        resources: Sequence[ResourceKey] = (),
        blocking: bool | None = None,
        stream_body: bool = False,
        **options: Unpack[RouteOptions],
    ) -> Callable[[H], H]:
        """Declares a route.

        `path` may hold parameters: `{id}`, `{id:int}` (also `float`, `uuid`, `path`) and, at its end, `{*rest}`.
        `method` is one, a list, or `"*"` for any. `name` is what `url_for` knows it by, the handler's own unless given.
        `body_size` is in bytes, that of `serve()` unless given; a longer body is a 400. `plugin` is middleware for this
        route alone. `resources` are those of the scope `request` that its handler uses: names, or functions that
        `resource` has declared. `blocking` says outright whether a synchronous handler takes its time; the server finds
        out otherwise. With `stream_body` the handler starts before the body has arrived and reads it by `req.chunks()`.
        Plugins bring further options.

        `InvalidHandler`, `MethodException` and `MultipleRouteException` when the route cannot be; `TypeError` for an
        unknown option.
        """
        check_parentheses("app.route", path, 'app.route(path="/")')
        arguments = {name: value for name, value in locals().items() if name not in ("self", "options")}
        return self._route(**arguments, **options)

    def _route(
        self,
        path: str,
        method: str | Iterable[str],
        *,
        includes: tuple[Include, ...] = (),
        name: str | None = None,
        body_size: int | None = None,
        plugin: Any = None,
        resources: Any = (),
        blocking: bool | None = None,
        stream_body: bool = False,
        **options: Any,
    ) -> Callable[[H], H]:
        values = self._option_values(options)
        middleware = as_middleware(plugin)

        def declare(handler: H) -> H:
            self._declaring("a route")
            route = RouteSpec.declare(
                path,
                handler,
                method,
                body_size=body_size,
                stream_body=stream_body,
                blocking=blocking,
                middleware=middleware,
                options=values,
                name=name,
                includes=includes,
                resources=resources,
            )
            check_signature(self, self._plugins, route)
            for each in middleware:
                Registration(each, "around", path, route.methods).check_route(route)
            self._routes.add(route)
            self._plugins.call("slime_route_added", app=self, route=route)
            return handler

        return declare

    def use(self, middleware: SlimeMiddleware, method: str | Iterable[str] = "*", path: str = EVERY_PATH) -> None:
        """Puts middleware around the routes of a path, or of every path, for some methods or all. After its routes.

        Middleware for every path also surrounds routes that are declared later. So does that of `path="/api/*"`: it is
        for the routes whose pattern is `/api` or begins with `/api/`. `RouteHandlerNotFoundException` when
        there is no such route yet, `InvalidMiddlewareHandlerType` when it cannot serve one of them.
        """
        (target,) = as_middleware([middleware])
        self._register(Registration(target, "around", path, parse_methods(method)))

    def middle_before(self, path: str = "/", method: str | Iterable[str] = "GET") -> Callable[[M], M]:
        """Declares a function that runs before the handlers of a path (`"*"` for every one): `async def` exactly where
        they are, and declared after them.

        `RouteHandlerNotFoundException`, `InvalidMiddlewareHandlerType`, `InvalidHandler` as for `use` and `route`.
        """
        return self._middle("before", path, method)

    def middle_after(self, path: str = "/", method: str | Iterable[str] = "GET") -> Callable[[M], M]:
        """Declares a function that runs after the handlers of a path (`"*"` for every one): `async def` exactly where
        they are, and declared after them.
        """
        return self._middle("after", path, method)

    def middle_around(self, path: str = "/", method: str | Iterable[str] = "GET") -> Callable[[M], M]:
        """Declares a generator function that runs around the handlers of a path (`"*"` for every one), as
        `SlimeMiddleware.middle_around` does: `async def` exactly where they are, and declared after them.
        """
        return self._middle("around", path, method)

    def error(self, key: ErrorKey) -> Callable[[ErrorFunction], ErrorFunction]:
        """Declares what answers an error status (400 to 599) or an exception class: `handler(req, resp, exc)` or
        `handler(req, resp)`.

        The response's status is set when it is called. The exception's own class counts before its status, the status
        before base classes. An `HttpError` that it raises is the answer, anything else reaches the handler of 500.
        """
        if not isinstance(key, type):
            check_parentheses("app.error", key, "app.error(404)")

        def declare(handler: ErrorFunction) -> ErrorFunction:
            self._declaring("an error handler")
            self._errors.add(key, handler)
            return handler

        return declare

    def resource(
        self, *misplaced: object, scope: Scope = "worker", name: str | None = None
    ) -> Callable[[ResourceFunction], ResourceFunction]:
        """Declares what lives as long as the process (`scope="app"`), a worker (`"worker"`: one for each event loop) or
        a request (`"request"`), and is reached by `req.resources`.

        The function makes it. It is plain, a generator that yields it once and ends it behind the `yield`, or `async
        def`, with or without `yield`. It takes other resources by the names of its parameters, and `app`; those of a
        request also take `req` and `resp`. `name` is the function's own unless given.

        `ConfigError` for a name or scope that cannot be, or a name that is taken.
        """
        for each in misplaced:
            check_parentheses("app.resource", each, "app.resource()")
            raise TypeError(f"app.resource() takes no positional arguments, not {each!r}: write scope={each!r}")

        def declare(function: ResourceFunction) -> ResourceFunction:
            self._declaring("a resource")
            declared = resource(function, scope=scope, name=name)
            other = self._resources.get(declared.name, declared)
            if other != declared:
                raise ConfigError(f"two resources are named {declared.name!r}: {other} and {declared}")
            self._resources = {**self._resources, declared.name: declared}
            return function

        return declare

    @property
    def resources(self) -> Mapping[str, Resource]:
        """The resources declared so far, by name."""
        return MappingProxyType(self._resources)

    def scope(self) -> ResourceScope:
        """Resources where there is no request: for background work, a message on a switched connection, a
        script.

            async with app.scope() as resources:
                session = await resources.get("session")

        Those of the worker (the loop that runs the block, else the first) and of the application are there. `get` makes
        others, by name or by function; they end with the block, last made first, with what the block raises raised at
        each `yield`. With a plain `with`, `get` is not awaited, and makes none that is asynchronous. While the
        application is not served `get` makes resources of all scopes, for this block. A coroutine on an event loop that
        is no worker's makes its own ones of the scope `worker`.
        """
        return ResourceScope(self)

    def start(self, *misplaced: object) -> Callable[[StartFunction], StartFunction]:
        """Declares a function, plain or `async def`, that runs once before the first request is served. Its arguments
        are resources of the application and of the first worker, by their names.
        """
        for each in misplaced:
            check_parentheses("app.start", each, "app.start()")
            raise TypeError(f"app.start() takes no arguments, not {each!r}: write @app.start()")

        def declare(function: StartFunction) -> StartFunction:
            self._declaring("a start function")
            self._lifespan.on_start(function)
            return function

        return declare

    def end(self, *misplaced: object) -> Callable[[EndFunction], EndFunction]:
        """Declares a function of one argument, plain or `async def`, that runs once when serving ends: with `None`, or
        the exception that ended it.
        """
        for each in misplaced:
            check_parentheses("app.end", each, "app.end()")
            raise TypeError(f"app.end() takes no arguments, not {each!r}: write @app.end()")

        def declare(function: EndFunction) -> EndFunction:
            self._declaring("an end function")
            self._lifespan.on_end(function)
            return function

        return declare

    def url_for(self, name: str, /, *, query: Mapping[str, Any] | None = None, **params: Any) -> str:
        """The path of a route by its name: that given by `route(name=…)`, else the handler's, behind the names of its
        routers.

            app.url_for("users.show", id=7, query={"tab": "posts"})  # /users/7?tab=posts

        Parameters are values as `req.params` has them, and are percent-encoded. A list in `query` gives its name
        several times, `None` leaves it out. `root_path` of `serve()` stands before it while the application is served.
        Of a router that is included twice under one name it is the first include's.

        `UrlError` for a name, a parameter or a query that will not do.
        """
        return self._url_for(name, query, params, None)

    def _url_for(
        self, name: str, query: Mapping[str, Any] | None, params: Mapping[str, Any], near: RouteSpec | None
    ) -> str:
        urls = UrlTable(self._routes) if self._urls is None else self._urls
        return self.root_path + urls.path(name, query, params, near)

    def every(self, seconds: float) -> Callable[[StartFunction], StartFunction]:
        """Declares a function, plain or `async def`, that runs again and again while the application is served: first
        after `seconds`, on one worker. Its arguments are resources of the application and of that worker, by their
        names.

        It never runs twice at once: runs that would begin while one goes on are left out. Plain functions run on the
        pool, asynchronous ones on the worker's event loop. What one raises is logged and shown to `slime_exception`,
        and does not end the series. `ConfigError` for what is no number above 0.
        """
        check_parentheses("app.every", seconds, "app.every(60)")
        PeriodicFunction.check_seconds(seconds)

        def declare(function: StartFunction) -> StartFunction:
            self._declaring("a periodic function")
            self._lifespan.on_every(PeriodicFunction.declare(seconds, function))
            return function

        return declare

    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Runs a coroutine beside the requests, as a task: of the event loop that calls this, which is that of a
        coroutine handler's worker; of the first worker's from plain functions and other threads.

        What it raises is logged and shown to `slime_exception`. It is cancelled when the server ends, after the grace
        time of the requests. `TypeError` for what is no coroutine, `ConfigError` while the application is not served.
        """
        if not inspect.iscoroutine(coroutine):
            raise TypeError(f"app.spawn needs a coroutine, not {coroutine!r}: call an async def, app.spawn(work())")
        serving = self._serving
        if serving is None:
            coroutine.close()
            raise ConfigError("app.spawn: the application is not being served: call it from its start functions on")
        serving.spawn(coroutine)

    def include(
        self,
        router: Router,
        *,
        prefix: str | None = None,
        name: str | None = None,
        **arguments: Unpack[RouterArguments],
    ) -> None:
        """Declares what a router has recorded. `prefix` and `name` take the place of the router's own; the other
        arguments are as `Router` has them, and count over those.

            app.include(users)
            app.include(users, prefix="/v2/users", name="v2")

        What a declaration of the router raises is raised here, with a note of where it is; nothing of the router has
        been declared then.
        """
        self._include(router, prefix=prefix, name=name, arguments=arguments)

    def _include(
        self,
        router: Router,
        *,
        prefix: str | None,
        name: str | None,
        arguments: Mapping[str, Any],
        outer: Include | None = None,
        place: str = "",
    ) -> None:
        check_router(router)
        self._declaring("a router")
        include = Include(
            self, router, outer, prefix=prefix, name=name, arguments=arguments, place=place or caller_place()
        )
        with self._all_or_nothing():
            include._declare_all()
            self._included = (*self._included, router)

    def static_route(
        self,
        prefix: str,
        directory: str | os.PathLike[str],
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Serves the files of a directory (relative to the application's file, or absolute) below a URL prefix.

        Files are served without middleware, but for that of the application that covers them, as `Cors` does
        (`SlimeMiddleware.covers_files`); every answer has `headers` besides its own. `ConfigError` when there is no
        such directory, the prefix is taken or a header will not do.
        """
        self._declaring("a static route")
        self._mounts.add(prefix, directory, headers)

    def serve(
        self,
        host: str | None = None,
        port: int | None = None,
        secret_key: str | Sequence[str] | None = None,
        dev: bool | None = None,
        app_state: Mapping[str, Any] | None = None,
        workers: int | None = None,
        static_path: str | os.PathLike[str] | None = None,
        *,
        https: SlimeTls | None = None,
        unix_socket: str | os.PathLike[str] | None = None,
        unix_socket_mode: int | str | None = None,
        trusted_proxies: Sequence[str] | None = None,
        access_log: bool | None = None,
        body_size: int | None = None,
        root_path: str | None = None,
        head_size: int | None = None,
        header_count: int | None = None,
        head_timeout: float | None = None,
        idle_timeout: float | None = None,
        body_timeout: float | None = None,
        body_rate: int | None = None,
        send_timeout: float | None = None,
        max_connections: int | None = None,
        pool_threads: int | None = None,
        pool_idle_timeout: float | None = None,
        worker_queue_size: int | None = None,
        form_fields: int | None = None,
        form_parts: int | None = None,
        form_field_size: int | None = None,
        upload_memory: int | None = None,
        upload_dir: str | os.PathLike[str] | None = None,
        shutdown_grace: float | None = None,
        **options: Unpack[ServeOptions],
    ) -> None:
        """Serves the application until SIGINT or SIGTERM, then returns. A second signal cuts what is in flight, and
        ends in `SystemExit` with 128 plus its number.

        What is not given comes from the variable `SLIME_` and the name in capitals (`SLIME_WORKER` for `workers`),
        else from the defaults. Sizes are in bytes, times in seconds. `docs/deployment.md` has them all, with their
        defaults.

        An address in use ends the process with one line and exit code 1. `ConfigError` for a setting that will not
        do; whatever a start function raises is raised here, after the end functions have been told.
        """
        arguments = {name: value for name, value in locals().items() if name not in ("self", "options")}
        self._was_served = True
        configure_logging()
        check_one_module(self)
        config = self.serve_config(arguments | options, os.environ)
        for line in mistyped(os.environ, self._serve_options):
            _logger.warning("%s", line)
        try:
            serving = self.prepare(config)
        except OSError as error:
            where = config.server.unix_socket or f"{config.server.host}:{config.server.port}"
            print(f"slimeweb cannot listen on {where}: {error.strerror or error}", file=sys.stderr)
            raise SystemExit(1) from error
        run_in_foreground(serving, lambda: _describe(serving, config))

    def serve_config(self, arguments: Mapping[str, Any], environ: Mapping[str, str]) -> ServeConfig:
        """What `serve()` with these arguments, in this environment, would do. `TypeError` for an unknown argument,
        `ConfigError`.
        """
        own = _parameters(self.serve)
        for name in arguments:
            if name not in own and name not in self._serve_options:
                raise TypeError(self._unknown("serve", "serve_options", name, [*own, *self._serve_options]))
        given = {name: value for name, value in arguments.items() if name not in own}
        return resolve(arguments, environ, self._serve_options, given)

    def prepare(
        self,
        config: ServeConfig,
        on_unhandled: Unhandled | None = None,
        resources: Mapping[ResourceKey, object] = MappingProxyType({}),
    ) -> Serving:
        """A server for this application, bound and not yet serving: what `serve` and `TestClient` drive. `on_unhandled`
        is called with what the application has not answered itself, and its request, before that is answered.
        `resources` are values in the place of declared ones.

        Nothing can be declared from now on until it has finished. `OSError` when the address cannot be had,
        `ConfigError` when the application is being served already, and what `Compiler` raises for routes.
        """
        self._was_served = True
        compiled = self._start(config, on_unhandled, resources)
        try:
            serving = Serving(self, compiled, config, self._lifespan, self._plugins, self._finished)
        except BaseException:
            self._finished()
            raise
        self._serving = serving
        return serving

    @contextmanager
    def dry_run(self, config: ServeConfig) -> Iterator[None]:
        """Starts the application without a server, for as long as the `with` statement lasts: for commands that show
        or check what would be served.

        `dev` and `serve_options` are those of the configuration, plugins have declared what they do at a start, and
        `routes` has their routes too. Nothing is bound, and no start function runs. Raises what `prepare` does for the
        application.
        """
        self._start(config)
        try:
            yield
        finally:
            self._finished()

    def shutdown(self, error: BaseException | None = None) -> None:
        """Ends `serve()` as a SIGTERM would, from any thread. Does nothing when the application is not being served.

        `error` is why it cannot go on: end functions are told of it, and `serve()` raises it in the end, so that the
        process ends with exit code 1. It is left out where the server is stopping already.
        """
        serving = self._serving
        if serving is not None:
            serving.shutdown(error)

    def report_exception(self, exc: BaseException, where: str = "background", req: SlimeRequest | None = None) -> None:
        """Shows a failure to the plugins that watch for them (`slime_exception`): for what no handler raises, such as
        work in threads of the application's own. Usable from any thread.

        `where` says in a word or two what failed; `req` is the request that it was for. It logs nothing, raises
        nothing that a plugin raises, and does nothing for an exception that has been shown already.
        """
        self._observers.show(exc, where, req)

    def _start(
        self,
        config: ServeConfig,
        on_unhandled: Unhandled | None = None,
        resources: Mapping[ResourceKey, object] = MappingProxyType({}),
    ) -> CompiledApp:
        """All that is decided before the server is there. `_finished` has to follow."""
        with self._lock:
            if self._config is not None:
                raise ConfigError("this application is being served already: stop that first, or make another Slime")
            self._config = config
        try:
            self._state.merge(config.app_state)
            if config.secret_key is not None:
                self._secrets = SecretKeys(config.secret_key)
            elif config.server.dev:
                self._secrets = SecretKeys(quiet=True)
            self._get_ready()
            return self._compile(config, on_unhandled, self._resource_graph().replaced(resources))
        except BaseException:
            self._finished()
            raise

    def _get_ready(self) -> None:
        """Lets plugins declare what they have waited for, once. What one that fails has declared by then is dropped."""
        if self._is_ready:
            return
        with self._all_or_nothing():
            self._plugins.call("slime_ready", app=self)
        self._is_ready = True

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Forgets what has been declared within, where that fails."""
        declared = {name: copy(getattr(self, name)) for name in _DECLARED}
        try:
            yield
        except BaseException:
            vars(self).update(declared)
            raise

    @property
    def _resource_life(self) -> ResourceLifespan | None:
        """The resources that there are while the application is served."""
        serving = self._serving
        return None if serving is None else serving.resources

    def _resource_graph(self) -> ResourceGraph:
        """The resources of the application and of its plugins."""
        brought = self._plugins.items("slime_resources", Resource, app=self)
        return ResourceGraph(
            (*(("", each) for each in self._resources.values()), *((str(plugin), each) for plugin, each in brought))
        )

    def _compile(self, config: ServeConfig, on_unhandled: Unhandled | None, graph: ResourceGraph) -> CompiledApp:
        from slimeweb._core import SlimeRequest, SlimeResponse

        errors = ErrorResponder(
            self, self._errors, self._plugins, self._observers, dev=config.server.dev, on_unhandled=on_unhandled
        )
        self._lifespan.check(graph)
        compiler = Compiler(
            app=self,
            plugins=self._plugins,
            routes=tuple(self._routes),
            registrations=self._registrations,
            around=tuple(self._plugins.items("slime_app_middleware", SlimeMiddleware, app=self)),
            option_values=self._option_values,
            errors=errors,
            resources=graph,
            body_size=config.body_size,
            on_unrouted_head=head_function(self, self._plugins, None),
        )
        mounts = self._mounts.resolve(config.static_path)
        if config.server.dev and not mounts and not self.routes:
            warn_no_routes(self._file)
        routes = compiler.all_routes()
        self._served_routes = routes
        self._urls = UrlTable(routes)
        return CompiledApp(
            routes=compiler.compiled_routes(routes),
            mounts=mounts,
            fallback=compiler.fallback(bool(self._errors)),
            files=compiler.files(),
            on_error=errors.on_error,
            refuse_file=errors.refuse_file,
            on_exception=self._observers.show if self._observers else None,
            on_sent=sent_observer(self, self._plugins, access_log=config.access_log),
            request_members=request_members(self, self._plugins, SlimeRequest),
            response_members=response_members(self, self._plugins, SlimeResponse),
            resources=graph,
        )

    def _finished(self) -> None:
        with self._lock:
            self._config = None
            self._served_routes = None
            self._urls = None
            self._serving = None

    def _middle(
        self, position: Position, path: str, method: str | Iterable[str], include: Include | None = None
    ) -> Callable[[M], M]:
        check_parentheses(f"app.middle_{position}", path, f'app.middle_{position}(path="/")')
        methods = parse_methods(method)

        def declare(function: M) -> M:
            check = check_generator if position == "around" else check_handler
            check(function, f"middle_{position}")
            self._register(Registration(function, position, path, methods, include))
            return function

        return declare

    def _register(self, registration: Registration) -> None:
        self._declaring("middleware")
        if registration.include is None:
            registration.check(self._routes)
        self._registrations = (*self._registrations, registration)

    def _check_registrations(self, include: Include) -> None:
        """Checks the middleware of a router, now that all of its routes are there."""
        for each in self._registrations:
            if each.include is include:
                each.check(self._routes)

    def _route_of(self, req: SlimeRequest) -> RouteSpec | None:
        """The route that a request came to."""
        routes = self._routes if self._served_routes is None else self._served_routes
        return None if req.route is None else routes.find(req.route, req.method)

    def _declaring_members(self, on: Declarations) -> Mapping[str, Callable[..., Any]]:
        """What plugins bring for declarations on the application, or on one include."""

        def taken(name: str) -> str | None:
            if name in self._app_members:
                return "the hook slime_app_members of a plugin"
            return _taken_in(Slime)(name)

        return self._plugins.table("slime_declarations", taken, callables=True, app=self, on=on)

    def _declaring(self, what: str) -> None:
        if self._config is not None and self._is_ready:
            raise ConfigError(
                f"{what} cannot be declared while the application is being served: declare it before serve()"
            )

    def _option_values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: option.default for name, option in self._route_options.items()}
        for name, value in given.items():
            option = self._route_options.get(name)
            if option is None:
                raise TypeError(
                    self._unknown("route", "route_options", name, [*_parameters(self.route), *self._route_options])
                )
            values[name] = option.read(value)
        return values

    def _unknown(self, function: str, kind: str, name: str, known: Sequence[str]) -> str:
        advice = hint(kind, name, self._plugins.left_out)
        return f"{function}() has no option {name!r}: {suggestion(name, known) if advice is None else advice}"


def _parameters(method: Callable[..., Any]) -> tuple[str, ...]:
    code = getattr(method, "__code__")  # noqa: B009
    return tuple(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])


def _taken_in(kind: type) -> Callable[[str], str | None]:
    names = frozenset(dir(kind))
    return lambda name: "slimeweb itself" if name in names else None


def _describe(serving: Serving, config: ServeConfig) -> list[str]:
    from slimeweb._core import __version__

    workers = config.server.workers
    count = f"{workers} worker{'' if workers == 1 else 's'}"
    line = f"slimeweb {__version__} serving on {', '.join(serving.urls)} ({count}, {describe_gil()})"
    advice = gil_advice()
    return [line, advice] if advice else [line]
