"""The plugin contract: every hook there is.

A plugin is a module or an object with functions of these names, marked with `slimeweb.hookimpl`, and an entry point
of the group `slimeweb` that leads to it. A hook takes any subset of the arguments given here, by name.

Hooks run when the application is made, when routes are declared and when it starts. None runs per request, except
`slime_handle_exception` and `slime_exception`, which run when something has failed, and `slime_response_sent`, which
runs beside the requests. Where several plugins implement a hook, they are called in the order of their entry points'
names, then those given to `Slime(plugins=…)`; pluggy's `tryfirst` and `trylast` change that. A plugin that raises,
that returns something of the wrong type, or that claims a name another one has, is a `PluginError` naming it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.app import Slime
    from slimeweb.body_filter import BodyFilter
    from slimeweb.commands import Commands, PluginManager
    from slimeweb.middleware import SlimeMiddleware
    from slimeweb.options import RouteOption, ServeOption
    from slimeweb.resources import Resource
    from slimeweb.router import Declarations
    from slimeweb.routing import HandlerWrapper, RouteKind, RouteSpec

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "slimeweb"
"""The name that hooks are marked for, and the group of the entry points of plugins."""

hookspec = pluggy.HookspecMarker(PROJECT)
"""Marks the declaration of a hook: for tests and tools; the hooks of slimeweb are those below."""
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks the function of a plugin that implements a hook: `@hookimpl`, `@hookimpl(tryfirst=True)`,
`@hookimpl(trylast=True)`.
"""


@hookspec
def slime_addhooks(plugins: PluginManager) -> None:
    """Hooks of the plugin's own, for other plugins to implement: `plugins.add_hookspecs(module)` adds all that a module
    or class declares with `slimeweb.hookspec`. The plugin calls them by `app.plugins.call`.

    Called once, when the application is made, before every other hook. A plugin that also works without this one marks
    its implementation with `@hookimpl(optionalhook=True)`.

    For example:

        class ShopHooks:
            @hookspec
            def shop_order_placed(self, order): ...

        @hookimpl
        def slime_addhooks(plugins):
            plugins.add_hookspecs(ShopHooks)
    """


@hookspec
def slime_app_members(app: Slime) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Attributes to add to `app`: `{"greet": function}` makes `app.greet(…)`.

    Called once, when the application is made. A function is not bound: it closes over `app` where it needs it. Names
    that the application has already cannot be claimed.

    For example:

        @hookimpl
        def slime_app_members(app):
            def page(path):
                return app.route(path=path, method="GET")

            return {"page": page}
    """


@hookspec
def slime_declarations(app: Slime, on: Declarations) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Functions that declare something, to add to `app`, to routers, and to what one includes: `{"page": function}`
    makes `app.page(…)` and `router.page(…)`. They declare by the methods of `on`, which is the application, or one
    include of a router, with the router's prefix, arguments and middleware.

    Called once with `on=app` when the application is made, and once for each router when it is included. `router.page`
    records its call then, and what the decorator that comes of it is put above; the include calls it.

    For example:

        @hookimpl
        def slime_declarations(app, on):
            def page(path):
                return on.route(path=path, method="GET")

            return {"page": page}
    """


@hookspec
def slime_ready(app: Slime) -> None:
    """The last chance to declare routes, middleware, error handlers, static directories, start and end functions: all
    that plugins add is there, and so is what the application declares.

    Called once, when the application starts for the first time, before its routes are compiled; `app.dev` and
    `app.serve_options` are known.

    For example:

        @hookimpl
        def slime_ready(app):
            app.use(Audit(app.state))
    """


@hookspec
def slime_request_members(app: Slime) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Methods to add to requests: `{"locale": function}` makes `req.locale(…)`, which calls `function(req, …)`.

    Called once, when the application starts.

    For example:

        @hookimpl
        def slime_request_members(app):
            return {"locale": lambda req: req.header.get("accept-language", "en")[:2]}
    """


@hookspec
def slime_response_members(app: Slime) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Methods to add to responses: `{"csv": function}` makes `resp.csv(…)`, which calls `function(resp, …)`.

    Called once, when the application starts.

    For example:

        @hookimpl
        def slime_response_members(app):
            def csv(resp, rows):
                text = "\\r\\n".join(",".join(row) for row in rows)
                return resp.bytes(text.encode(), content_type="text/csv; charset=utf-8")

            return {"csv": csv}
    """


@hookspec
def slime_client_members(app: Slime) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Methods to add to the application's test clients: `{"brew": function}` makes `client.brew(…)`, which calls
    `function(client, …)`. For clients of protocols and formats that a plugin brings.

    Called once for each `TestClient` that is made.

    For example:

        @hookimpl
        def slime_client_members(app):
            def brew(client, path):
                return client.request("BREW", path)

            return {"brew": brew}
    """


@hookspec
def slime_route_options() -> Sequence[RouteOption]:  # type: ignore[empty-body]
    """Keyword arguments to add to `app.route()`. Called once, when the application is made.

    What a route says, or the default, is in `route.options[name]`.

    For example:

        @hookimpl
        def slime_route_options():
            return [RouteOption("cache_seconds", default=0, validate=int)]
    """


@hookspec
def slime_serve_options() -> Sequence[ServeOption]:  # type: ignore[empty-body]
    """Keyword arguments to add to `app.serve()`, read from `SLIME_*` variables too. Called once, when the application
    is made.

    What was given, or the default, is in `app.serve_options[name]` once the application starts.

    For example:

        @hookimpl
        def slime_serve_options():
            return [ServeOption("greeting", default="hello", validate=str)]
    """


@hookspec
def slime_route_added(app: Slime, route: RouteSpec) -> None:
    """A route has been declared with `app.route()`. To refuse it, raise.

    For example:

        @hookimpl
        def slime_route_added(app, route):
            seen.append(route.path)
    """


@hookspec
def slime_routes(app: Slime) -> Sequence[RouteSpec]:  # type: ignore[empty-body]
    """Routes of the plugin's own. Called once, when the application starts; `app.dev` and `app.serve_options` are
    known by then.

    For example:

        @hookimpl
        def slime_routes(app):
            def health(req, resp):
                return resp.plain("ok")

            return [RouteSpec.declare("/health", health)]
    """


@hookspec
def slime_resources(app: Slime) -> Sequence[Resource]:  # type: ignore[empty-body]
    """Resources of the plugin's own, made by `slimeweb.resource(function, scope=…)`. A name that the application or
    another plugin has is an error naming both.

    Called once, when the application starts; `app.serve_options` is known.

    For example:

        @hookimpl
        def slime_resources(app):
            def mailer(app):
                with connect(app.serve_options["mail_server"]) as connection:
                    yield connection

            return [resource(mailer)]
    """


@hookspec
def slime_route_kind(app: Slime, route: RouteSpec) -> RouteKind | None:
    """How a route answers, where that is not a plain response. A route that two plugins claim is an error naming both.

    Called for each route when the application starts.

    For example:

        @hookimpl
        def slime_route_kind(app, route):
            def wrap(route, handler):
                def shouting(req, resp):
                    return resp.plain(handler(req, resp).upper())

                return shouting

            return RouteKind("shout", wrap) if route.options["shout"] else None
    """


@hookspec
def slime_wrap_handler(app: Slime, route: RouteSpec) -> HandlerWrapper | None:
    """What to put around a route's handler, inside of the route's kind. The wrappers of several plugins stack, the
    first plugin's outermost; one that claims the handler's signature is the innermost.

    Called for each route when the application starts, and also at the declaration of a route whose handler does not
    take `(req, resp)`: it has to be claimed then.

    For example:

        @hookimpl
        def slime_wrap_handler(app, route):
            def wrap(route, handler):
                def numbered(req, resp):
                    return handler(**{name: int(value) for name, value in req.params.items()})

                return numbered

            takes_numbers = set(route.signature.parameters) == {param.name for param in route.params}
            return HandlerWrapper("numbers", wrap, claims_signature=True) if takes_numbers else None
    """


@hookspec
def slime_middleware(app: Slime, route: RouteSpec) -> Sequence[SlimeMiddleware]:  # type: ignore[empty-body]
    """Middleware to put around a route, inside of what `app.use` put around all routes and outside of the route's own.

    Called for each route when the application starts. Which methods run where, `SlimeMiddleware` says.

    For example:

        @hookimpl
        def slime_middleware(app, route):
            return [Timer(route.path)]
    """


@hookspec
def slime_app_middleware(app: Slime) -> Sequence[SlimeMiddleware]:  # type: ignore[empty-body]
    """Middleware to put around the whole application, outside of all other: around every route, around the OPTIONS that
    slimeweb answers itself, and around what no route answers (404, 405), where `req.route` is `None`.

    Called once, when the application starts. Which methods run where, `SlimeMiddleware` says.

    For example:

        @hookimpl
        def slime_app_middleware(app):
            return [Counting()]
    """


@hookspec
def slime_response_head(app: Slime, route: RouteSpec | None) -> Callable[[SlimeRequest, SlimeResponse], None] | None:
    """A function to call just before status and headers of a route's responses go out, whatever the answer is. It may
    change status and headers.

    Called for each route when the application starts, and once with `None` for all that no route answers: 404, 405,
    static files, the OPTIONS that slimeweb answers itself.

    For example:

        @hookimpl
        def slime_response_head(app, route):
            def save(req, resp):
                if req.session.is_changed:
                    resp.set_sign_cookie("session", req.session.text())

            return save
    """


@hookspec
def slime_body_filter(app: Slime, route: RouteSpec) -> BodyFilter | None:
    """A transformation for the bodies of a route's responses. Those of several plugins apply one after the other:
    those of the stage `content` before those of the stage `coding`, within a stage in order.

    Called for each route when the application starts.

    For example:

        @hookimpl
        def slime_body_filter(app, route):
            return Rot13() if route.options["rot13"] else None
    """


@hookspec
def slime_startup(app: Slime) -> None:
    """The application starts: its event loops run, its address is bound, no request is served yet. Before
    `@app.start` functions. It may be `async def`, and then runs on the first worker's loop.

    For example:

        @hookimpl
        def slime_startup(app):
            app.state["pool"] = connect()
    """


@hookspec
def slime_stopping(app: Slime) -> None:
    """The server begins to stop: no new connections from now on, and what is in flight has the grace time to finish.

    For ending what would not end by itself, such as connections that live long. Runs before `@app.end` functions, for
    plugins that have started, the last one first, on the thread that stops the server; a plain function must not wait
    for what it ends. It may be `async def`: it then runs on the first worker's loop, within the grace time.

    For example:

        @hookimpl
        def slime_stopping(app):
            for connection in connections:
                connection.say_goodbye()
    """


@hookspec
def slime_shutdown(app: Slime, error: BaseException | None) -> None:
    """The application has ended, after `@app.end` functions; `error` is why, `None` when it was asked to.

    Runs for the plugins whose `slime_startup` has returned and for those that have none, the last one first. It may be
    `async def`, and then runs on the first worker's loop.

    For example:

        @hookimpl
        def slime_shutdown(app, error):
            app.state["pool"].close()
    """


@hookspec(firstresult=True)
def slime_handle_exception(app: Slime, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> Any:
    """A handler, a middleware or a body filter raised, and no `@app.error` of the application takes that exception.

    To answer, fill `resp` and return it, or return what a handler may return: it goes out with the exception's status
    (an `HttpError`'s own, else 500) unless the hook sets one. `None` passes the exception on. The first plugin that
    answers decides. Runs on the thread of the request that failed, so it may run many times at once.

    For example:

        @hookimpl
        def slime_handle_exception(app, req, resp, exc):
            return resp.plain("try later", status=503) if isinstance(exc, PoolTimeout) else None
    """


@hookspec
def slime_exception(app: Slime, req: SlimeRequest | None, exc: BaseException, where: str) -> None:
    """Something failed. For observers, such as error trackers: it changes nothing.

    Sees every exception once for its request, whoever answers it: `HttpError`s that a handler raises, too. Not seen are
    the server's own refusals, clients that leave, and what is cancelled because the server stops. `where` is `handler`,
    `middleware`, `filter`, `head`, `stream`, `error handler`, `protocol`, `after`, `background`, `every`, `start`,
    `end`, or a word of whoever has reported it with `app.report_exception`. `req` is `None` where there is no request.
    Runs on the thread where the failure was met, which may be that of an event loop: it must not block. What it raises
    is logged.

    For example:

        @hookimpl
        def slime_exception(req, exc, where):
            failures.put((where, None if req is None else req.path, exc))
    """


@hookspec
def slime_response_sent(
    app: Slime,
    route: str | None,
    method: str,
    path: str,
    status: int,
    sent: int,
    seconds: float,
    error: str | None,
    client: str,
    request_id: str,
) -> None:
    """An answer has ended: a whole one, a stream, a static file, a refusal, a connection that had switched protocols.

    `route` is the pattern, `None` where none matched; `status` is 499 where the client left before there was one;
    `sent` are the bytes of body that the connection has taken; `seconds` run from the head's arrival to the end;
    `error` is `None`, or what has cut the answer: `client left`, `timeout`, `aborted`, `unreadable file`, `server
    stopped`. Runs on one thread of its own, for one answer after the other, some milliseconds after the end. What it
    raises is logged.

    For example:

        @hookimpl
        def slime_response_sent(route, method, status, seconds):
            durations.labels(route or "none", method, status).observe(seconds)
    """


@hookspec
def slime_cli(commands: Commands) -> None:
    """Subcommands to add to the command `slime`.

    For example:

        @hookimpl
        def slime_cli(commands):
            def hello(arguments):
                print(f"Hello {arguments.name}")
                return 0

            commands.add("hello", hello, help="greets", configure=lambda parser: parser.add_argument("name"))
    """
