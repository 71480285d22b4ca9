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

from slimeweb._core import (
    BodyChunks,
    BodyWriter,
    SlimeFile,
    SlimeRequest,
    SlimeResponse,
    __version__,
    waiting_for_client,
)
from slimeweb.app import Slime
from slimeweb.concurrency import run_in_threadpool
from slimeweb.errors import ClientDisconnected, HttpError, SlimeError
from slimeweb.hookspecs import hookimpl, hookspec
from slimeweb.middleware import SlimeMiddleware
from slimeweb.options import RouteOption, ServeOption
from slimeweb.routing import HandlerWrapper, RouteKind, RouteSpec
from slimeweb.state import State
from slimeweb.tls import SlimeTls

if TYPE_CHECKING:
    # The types of what plugins export: `_known_plugins` has their names.
    from slimeweb._known_plugins import *  # noqa: F403

__all__ = [
    "BodyChunks",
    "BodyWriter",
    "ClientDisconnected",
    "HandlerWrapper",
    "HttpError",
    "RouteKind",
    "RouteOption",
    "RouteSpec",
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
    "run_in_threadpool",
    "waiting_for_client",
]

if not TYPE_CHECKING:
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
