"""The hook implementations of slimeweb-greeting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from slimeweb import HandlerWrapper, RouteOption, RouteSpec, ServeOption, Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb_greeting import Greeting

__all__ = ["GreetingPlugin"]

H = TypeVar("H", bound=Callable[..., Any])


def wrap(route: RouteSpec, handler: Callable[[Greeting], str]) -> Callable[[SlimeRequest, SlimeResponse], str]:
    """A handler as the core calls it."""
    return lambda req, resp: handler(route.options["greeting"])


class GreetingPlugin:
    """The plugin, one for each application."""

    @hookimpl
    def slime_app_members(self, app: Slime) -> Mapping[str, Any]:
        """`@app.greet(path, text)`."""

        def greet(path: str, text: str = "hello", **options: Any) -> Callable[[H], H]:
            return app.route(path=path, **{**options, "greeting": Greeting(text)})

        return {"greet": greet}

    @hookimpl
    def slime_request_members(self, app: Slime) -> Mapping[str, Callable[..., Any]]:
        """`req.greeting()`."""

        def greeting(req: SlimeRequest) -> Greeting:
            return Greeting(app.serve_options["default_greeting"])

        return {"greeting": greeting}

    @hookimpl
    def slime_response_members(self) -> Mapping[str, Callable[..., Any]]:
        """`resp.greet(greeting)`."""

        def greet(resp: SlimeResponse, greeting: Greeting) -> SlimeResponse:
            return resp.plain(greeting.text)

        return {"greet": greet}

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        """`route(greeting=Greeting(…))`."""
        return [RouteOption("greeting")]

    @hookimpl
    def slime_wrap_handler(self, route: RouteSpec) -> HandlerWrapper | None:
        """Handlers of one argument get the route's greeting."""
        return HandlerWrapper("greeting", wrap, claims_signature=True) if len(route.signature.parameters) == 1 else None

    @hookimpl
    def slime_serve_options(self) -> Sequence[ServeOption]:
        """`serve(default_greeting="hello")`."""
        return [ServeOption("default_greeting", default="hello", validate=str)]
