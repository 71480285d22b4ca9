"""Services for handlers, by parameter name or annotation.

    @app.provide(Database)
    def database(req):
        return Database(req.state["url"])

    @app.route(path="/users/{id:int}")
    def show(id: int, db: Database):
        return db.user(id)

A handler may also take `req` and `resp`, and the parameters of its path by their names. A service has to be provided
before the routes that use it are declared.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from slimeweb import HandlerWrapper, RouteSpec, Slime, SlimeRequest, hookimpl
from slimeweb.handlers import is_coroutine_function

__all__ = ["Inject"]

Factory = Callable[[SlimeRequest], Any]


class Inject:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._factories: dict[Any, Factory] = {}

    @hookimpl
    def slime_app_members(self, app: Slime) -> Mapping[str, Any]:
        """`@app.provide(service)`: a type, or the name of a parameter."""

        def provide(service: Any) -> Callable[[Factory], Factory]:
            def declare(factory: Factory) -> Factory:
                self._factories[service] = factory
                return factory

            return declare

        return {"provide": provide}

    @hookimpl
    def slime_wrap_handler(self, route: RouteSpec) -> HandlerWrapper | None:
        """Claims handlers all of whose parameters are known; leaves `(req, resp)` alone."""
        parameters = list(route.signature.parameters.values())
        if [parameter.name for parameter in parameters] == ["req", "resp"] or inspect.isgeneratorfunction(
            route.handler
        ):
            return None
        params = {param.name for param in route.params}
        hints = typing.get_type_hints(route.handler)
        sources: dict[str, str | Factory] = {}
        for parameter in parameters:
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                return None
            name = parameter.name
            factory = self._factories.get(hints.get(name)) or self._factories.get(name)
            if name in ("req", "resp"):
                sources[name] = name
            elif factory is not None:
                if is_coroutine_function(factory) and not route.is_async:
                    raise TypeError(f"{name} comes from a coroutine: write 'async def {route.name}'")
                sources[name] = factory
            elif name in params:
                sources[name] = "params"
            elif parameter.default is parameter.empty:
                return None
        return HandlerWrapper("inject", _Calls(sources).wrap, claims_signature=True)


class _Calls:
    def __init__(self, sources: Mapping[str, str | Factory]) -> None:
        self._sources = sources

    def wrap(self, route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
        def run(req: SlimeRequest, resp: Any) -> Any:
            return handler(**self._arguments(req, resp))

        async def run_async(req: SlimeRequest, resp: Any) -> Any:
            arguments = self._arguments(req, resp)
            for name, value in arguments.items():
                if inspect.iscoroutine(value):
                    arguments[name] = await value
            return await handler(**arguments)

        return run_async if route.is_async else run

    def _arguments(self, req: SlimeRequest, resp: Any) -> dict[str, Any]:
        given = {"req": req, "resp": resp}
        return {
            name: source(req) if callable(source) else given[source] if source in given else req.params[name]
            for name, source in self._sources.items()
        }
