"""slimeweb: a web framework with a server in Rust.

    from slimeweb import Slime

    app = Slime(__file__)

    @app.route(path="/")
    def home(req, resp):
        return resp.plain("Hello World from slime")

    app.serve()

What installed plugins export can be imported from here as well.
"""

from typing import TYPE_CHECKING

from slimeweb._core import BodyChunks as BodyChunks
from slimeweb._core import BodyWriter as BodyWriter
from slimeweb._core import SlimeFile as SlimeFile
from slimeweb._core import SlimeRequest as SlimeRequest
from slimeweb._core import SlimeResponse as SlimeResponse
from slimeweb._core import __version__ as __version__
from slimeweb._core import waiting_for_client as waiting_for_client
from slimeweb.app import Slime as Slime
from slimeweb.concurrency import run_in_threadpool as run_in_threadpool
from slimeweb.errors import ClientDisconnected as ClientDisconnected
from slimeweb.errors import HttpError as HttpError
from slimeweb.errors import SlimeError as SlimeError
from slimeweb.hookspecs import hookimpl as hookimpl
from slimeweb.hookspecs import hookspec as hookspec
from slimeweb.middleware import SlimeMiddleware as SlimeMiddleware
from slimeweb.options import RouteOption as RouteOption
from slimeweb.options import ServeOption as ServeOption
from slimeweb.resources import Resource as Resource
from slimeweb.resources import Resources as Resources
from slimeweb.resources import resource as resource
from slimeweb.router import Router as Router
from slimeweb.routing import HandlerWrapper as HandlerWrapper
from slimeweb.routing import RouteKind as RouteKind
from slimeweb.routing import RouteSpec as RouteSpec
from slimeweb.state import State as State
from slimeweb.tls import SlimeTls as SlimeTls

if TYPE_CHECKING:
    # With an `__all__`, mypy would see nothing of these.
    from slimeweb._installed.exports import *  # noqa: F403
else:
    __all__ = [
        "BodyChunks",
        "BodyWriter",
        "ClientDisconnected",
        "HandlerWrapper",
        "HttpError",
        "Resource",
        "Resources",
        "RouteKind",
        "RouteOption",
        "RouteSpec",
        "Router",
        "ServeOption",
        "Slime",
        "SlimeError",
        "SlimeFile",
        "SlimeMiddleware",
        "SlimeRequest",
        "SlimeResponse",
        "SlimeTls",
        "State",
        "__version__",
        "hookimpl",
        "hookspec",
        "resource",
        "run_in_threadpool",
        "waiting_for_client",
    ]

    # Hidden from type checkers, which would take every misspelled name for one of these.
    def __getattr__(name):
        """A name that a plugin exports (PEP 562)."""
        if name.startswith("_"):
            raise AttributeError(f"module 'slimeweb' has no attribute {name!r}", name=name)
        from slimeweb._exports import missing_export, resolve_export

        try:
            return resolve_export(name)
        except LookupError:
            raise missing_export(name) from None

    def __dir__():
        from slimeweb._exports import exported_names

        return sorted({*globals(), *exported_names()})
