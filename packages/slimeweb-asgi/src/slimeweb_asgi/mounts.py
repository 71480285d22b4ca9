"""`app.mount`: which application answers below which path."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from slimeweb import RouteSpec, Slime
from slimeweb.stopping import StopCallbacks
from slimeweb_asgi.http import Mount, http_handler
from slimeweb_asgi.lifespan import Lifespan
from slimeweb_asgi.wsgi import wsgi_handler

__all__ = ["Mounts", "is_asgi"]


class Mounts:
    """The ASGI and WSGI applications of one slimeweb application."""

    def __init__(self, app: Slime) -> None:
        self._app = app
        self._routes: dict[str, list[RouteSpec]] = {}
        self._lifespans: list[Lifespan] = []
        self.stop_callbacks = StopCallbacks()

    def add(self, path: str, *, asgi: Any = None, wsgi: Any = None, body_size: int | None = None) -> None:
        """Has an application answer at `path` and below it, wherever no route of this application does.

            app.mount("/old", asgi=fastapi_app)
            app.mount("/older", wsgi=flask_app)

        `path` has no parameters and no slash at its end; `""` is every path. The application finds it as ASGI's
        `root_path`, as WSGI's `SCRIPT_NAME`. Exactly one of `asgi` (version 3) and `wsgi` (PEP 3333) is given.
        `body_size` limits its request bodies, in bytes; that of `serve()` unless given.

        An ASGI application's lifespan runs once, and all of its requests on the same event loop, so that what it keeps
        in globals belongs to one loop. WSGI applications are called on threads of the server's pool.

        `TypeError` for what is no application, `ValueError` for a path that will not do or is taken, `ConfigError`
        while the application is being served.
        """
        if (asgi is None) == (wsgi is None):
            raise TypeError(f"app.mount({path!r}): give one application, as asgi=… or as wsgi=…")
        application = wsgi if asgi is None else asgi
        if not callable(application):
            kind = "wsgi" if asgi is None else "asgi"
            raise TypeError(f"app.mount({path!r}, {kind}={application!r}): an application is callable")
        if not isinstance(path, str):
            raise TypeError(f"app.mount({path!r}): give the path as text, such as '/old'")
        if (path and not path.startswith("/")) or path.endswith("/") or "{" in path:
            raise ValueError(
                f"app.mount({path!r}): a path starts with a slash, ends without one, and has no parameters, such as "
                "'/old'; '' is every path"
            )
        if path in self._routes:
            raise ValueError(f"app.mount({path!r}): another application is mounted there already")
        if asgi is None:
            if is_asgi(wsgi):
                raise TypeError(f"app.mount({path!r}, wsgi={wsgi!r}): this is an ASGI application: write asgi=…")
            routes = _declared(path, wsgi_handler(wsgi, path), body_size)
        else:
            lifespan = Lifespan(asgi, path, self._fail)
            mount = Mount(path, lifespan.state, self.stop_callbacks)

            async def start() -> None:
                mount.server = _server_of(self._app.urls)
                await lifespan.start()

            self._app.start()(start)
            self._lifespans.append(lifespan)
            routes = _declared(path, http_handler(asgi, mount), body_size, one_loop=True)
        self._routes[path] = routes

    def routes(self) -> list[RouteSpec]:
        """The routes of every mount."""
        return [route for routes in self._routes.values() for route in routes]

    def _fail(self, error: RuntimeError) -> None:
        self._app.report_exception(error, "lifespan")
        self._app.shutdown(error)

    async def end(self) -> None:
        """Has the ASGI applications end, all at once: none waits for another that hangs."""
        await asyncio.gather(*(lifespan.end() for lifespan in self._lifespans))


def is_asgi(application: Any) -> bool:
    """Whether an application is one of ASGI: whether calling it makes a coroutine."""
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(
        getattr(application, "__call__", None)  # noqa: B004
    )


def _declared(
    path: str, handler: Callable[..., Any], body_size: int | None, *, one_loop: bool = False
) -> list[RouteSpec]:
    return [
        RouteSpec.declare(pattern, handler, "*", body_size=body_size, stream_body=True, one_loop=one_loop)
        for pattern in (path or "/", f"{path}/{{*path}}")
    ]


def _server_of(urls: Sequence[str]) -> tuple[str, int | None] | None:
    """The address that a server listens on, as a scope has it; the path of a Unix socket has no port."""
    for url in urls:
        parts = urlsplit(url)
        return (parts.path, None) if parts.scheme == "unix" else (parts.hostname or "", parts.port)
    return None
