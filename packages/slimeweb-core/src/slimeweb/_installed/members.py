"""What installed plugins add to applications, requests, responses, `route()` and `serve()`, for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

__all__ = [
    "AppMembers",
    "DeclaringMembers",
    "RequestMembers",
    "ResponseMembers",
    "RouteHandler",
    "RouteOptions",
    "ServeOptions",
]

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest
    from slimeweb._extras import asgi, compress, docs, stream, templates, typed, ws

    class AppMembers(asgi.AppMembers, templates.AppMembers, ws.AppMembers):
        """Attributes of applications."""

    class DeclaringMembers(docs.DeclaringMembers, stream.DeclaringMembers, ws.DeclaringMembers):
        """Attributes of applications and routers."""

    class RequestMembers(templates.RequestMembers):
        """Attributes of requests."""

    class ResponseMembers:
        """Attributes of responses."""

    RouteHandler = Callable[[SlimeRequest, Any], Any] | typed.RouteHandler
    """Handlers of routes. Which response they get depends on the route's kind."""

    class RouteOptions(compress.RouteOptions, stream.RouteOptions, ws.RouteOptions, total=False):
        """Keyword arguments of `route()`."""

    class ServeOptions(docs.ServeOptions, total=False):
        """Keyword arguments of `serve()`."""

else:
    # No attributes are declared at run time: `Slime.__getattr__` and its like find them.
    AppMembers = DeclaringMembers = RequestMembers = ResponseMembers = object
    RouteHandler = Callable[..., Any]

    class RouteOptions(TypedDict, total=False):
        """Keyword arguments of `route()`."""

    class ServeOptions(TypedDict, total=False):
        """Keyword arguments of `serve()`."""
