"""A running server, from binding its address to the last function that `@app.end` declared."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from slimeweb._background import BackgroundTasks
from slimeweb._compiled import CompiledApp
from slimeweb._forking import close_sockets, in_children
from slimeweb._lifespan import Lifespan, arguments_of
from slimeweb._plugin_lifespan import PluginLifespan
from slimeweb._plugin_manager import PluginManager
from slimeweb._resource_life import ResourceLifespan
from slimeweb._settings import ServeConfig
from slimeweb._worker_loop import WorkerThreads
from slimeweb.errors import ConfigError, ResourceError

if TYPE_CHECKING:
    from slimeweb._core import Server
    from slimeweb.app import Slime

__all__ = ["Serving"]

# What handlers get to end once their clients are gone, in seconds: less where they have had the grace time.
_HANDLERS, _LATE_HANDLERS = 1.0, 0.5
# What tasks get to end that have been cancelled, in seconds: less where a second signal has cut the rest.
_TASKS, _CUT_TASKS = 5.0, 1.0
# Between two looks whether handlers are still at work, in seconds.
_LOOK_AGAIN = 0.005
# Routes that a line in the log names, those with the most requests first.
_NAMED = 5

_logger = logging.getLogger("slimeweb")


class Serving:
    """One server that runs an application, in four steps: made (bound), `start`, `wait`, `finish`.

    `shutdown` may be called from any thread, at any time, and again.
    """

    def __init__(
        self,
        app: Slime,
        compiled: CompiledApp,
        config: ServeConfig,
        lifespan: Lifespan,
        plugins: PluginManager,
        on_finished: Callable[[], None],
    ) -> None:
        """Binds the address. `OSError` when it cannot be had; nothing of the application has run by then."""
        from slimeweb._core import Server

        self._app = app
        self._compiled = compiled
        self._config = config
        self._lifespan = lifespan
        self._plugins = PluginLifespan(app, plugins)
        self._resources = ResourceLifespan(app, compiled.resources, self._fail)
        self._on_finished = on_finished
        self._lock = threading.Lock()
        self._serving = False
        self._stopping = False
        self._stop_requested = threading.Event()
        self._stopped_at = 0.0
        self._is_cut = False
        self._is_finishing = False
        self._error: BaseException | None = None
        self._worker_threads: WorkerThreads | None = None
        self._background: BackgroundTasks | None = None
        self._server: Server = Server(app, config.server)
        self._is_over = False
        in_children(self._forget)

    @property
    def urls(self) -> list[str]:
        """Where it answers: `http://127.0.0.1:3000`, or `unix:/path`."""
        scheme = "https" if self._config.server.tls_cert else "http"
        addresses = self._server.addresses
        return [address if address.startswith("unix:") else f"{scheme}://{address}" for address in addresses]

    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Runs a coroutine beside the requests. `ConfigError` before the event loops are there, and after their end."""
        if self._background is None:
            coroutine.close()
            raise ConfigError("app.spawn: the application has no event loop yet: call it from its start functions on")
        self._background.spawn(coroutine)

    @property
    def resources(self) -> ResourceLifespan:
        """The resources of the application and of its workers."""
        return self._resources

    @property
    def port(self) -> int:
        """The TCP port, 0 for a Unix socket."""
        return self._server.port

    def start(self) -> None:
        """Starts the event loops, runs the start functions, then serves. Raises what a start function or a plugin
        raised.
        """
        self.get_ready()
        self.open()

    def get_ready(self) -> None:
        """The first half of `start`: all but to serve."""
        report = self._app.report_exception
        self._worker_threads = WorkerThreads(self._server.workers(), report)
        self._background = BackgroundTasks(self._worker_threads, report)
        try:
            self._plugins.start(self._worker_threads.first)
            self._resources.start(self._worker_threads.all)
            self._lifespan.start(self._app, self._worker_threads.first, self._resources.workers[0])
        except Exception as error:
            report(error, "start")
            raise

    def open(self) -> None:
        """The second half: connections are accepted from here on. They may take all file descriptors that there are, so
        what needs one is done before.
        """
        compiled = self._compiled
        background = self._background
        if background is None:
            raise RuntimeError("open() comes after get_ready()")
        with self._lock:
            if self._stopping:
                return
            self._server.start(
                compiled.routes,
                compiled.mounts,
                compiled.fallback,
                compiled.files,
                compiled.on_error,
                compiled.refuse_file,
                compiled.on_exception,
                compiled.on_sent,
                background.call_after,
                compiled.request_members,
                compiled.response_members,
                self._resources.workers,
            )
            self._serving = True
        for periodic in self._lifespan.periodic:
            arguments = arguments_of(periodic.function, self._app, self._resources.workers[0])
            background.repeat(periodic, arguments)

    @property
    def error(self) -> BaseException | None:
        """What `shutdown` was called with: why the server cannot go on."""
        return self._error

    def shutdown(self, error: BaseException | None = None) -> None:
        """Begins to stop: nothing new is accepted, requests in flight may finish within `shutdown_grace`. Returns at
        once.
        """
        with self._lock:
            first, self._stopping = not self._stopping, True
            if not first:
                return
            self._error = error
        self._stopped_at = time.monotonic()
        if self._serving:
            self._server.shutdown()
            self._plugins.stop()
        self._stop_requested.set()

    def cut(self) -> bool:
        """Drops what is in flight, so that `wait` returns at once. False where there is nothing to drop any more: it
        has been done, or the end functions are running.
        """
        if self._is_cut or self._is_finishing or not self._serving:
            return False
        self._is_cut = True
        self._server.cut()
        return True

    def wait_for_stop(self) -> None:
        """Waits until the server has begun to stop."""
        self._stop_requested.wait()

    def log_pending(self) -> None:
        """Logs what a shutdown waits for, if it does."""
        requests, streams, switched, routes = self._server.pending()
        counts = [
            f"{count} {name}{'' if count == 1 else 's'}"
            for count, name in ((requests, "request"), (streams, "stream"), (switched, "switched connection"))
            if count
        ]
        if counts:
            left = max(0.0, self._stopped_at + self._config.server.shutdown_grace - time.monotonic())
            _logger.info(
                "stopping: waiting for %s%s, %.0f s at most; a second signal ends them at once",
                " and ".join([", ".join(counts[:-1]), counts[-1]] if counts[1:] else counts),
                _named(routes),
                left,
            )

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the server has stopped, at most `timeout` seconds: true when it has.

        Handlers that go on after their answers have the grace time as well.
        """
        if not self._serving:
            return True
        until = math.inf if timeout is None else time.monotonic() + timeout
        if not self._server.wait(timeout):
            return False
        late = self._stopped_at + self._config.server.shutdown_grace
        while self._has_handlers() and not self._is_cut and (now := time.monotonic()) < late:
            if now >= until:
                return False
            time.sleep(_LOOK_AGAIN)
        return True

    def _has_handlers(self) -> bool:
        return self._server.is_busy() or (self._worker_threads is not None and self._worker_threads.have_handlers())

    def finish(self, error: BaseException | None = None) -> None:
        """Ends what is left, runs the end functions with `error`, ends resources, runs the plugins' end, and closes the
        event loops.
        """
        self._is_finishing = True
        grace = self._config.server.shutdown_grace
        late = self._is_cut or (self._stopping and time.monotonic() >= self._stopped_at + grace)
        # Before the pool ends, on which what runs again and again has its plain functions.
        if self._background is not None:
            self._background.stop(_CUT_TASKS if self._is_cut else _TASKS)
        ended = self._server.stop(_LATE_HANDLERS if late else _HANDLERS)
        routes = {} if ended else self._server.pending()[3]
        if routes:
            _logger.warning("stopping: handlers are still busy, and are left where they are%s", _named(routes))
        try:
            left = self._stopped_at + grace - time.monotonic()
            self._plugins.wait_for_stop(_LATE_HANDLERS if late else max(_HANDLERS, left))
            timeout = _CUT_TASKS if self._is_cut else max(_TASKS, grace)
            try:
                first = None if self._worker_threads is None else self._worker_threads.first
                self._lifespan.end(error, self._app.report_exception, first, timeout)
            finally:
                try:
                    self._resources.end(timeout)
                finally:
                    self._plugins.shutdown(error, timeout)
        finally:
            if self._worker_threads is not None:
                self._worker_threads.stop(_CUT_TASKS if self._is_cut else _TASKS)
            self._is_over = True
            self._on_finished()

    def _fail(self, failure: ResourceError) -> None:
        """A resource has failed while it was used: what is in flight may finish, as at any end."""
        _logger.critical("%s: the server ends", failure, exc_info=failure)
        self._app.report_exception(failure, "resource")
        self.shutdown(failure)

    def _forget(self) -> None:
        # In a forked child. No lock: its owner may be a thread of the parent.
        from slimeweb._core import forget_server

        if not self._is_over:
            close_sockets(self._server.addresses)
            if self._serving:
                forget_server()


def _named(routes: Mapping[str, int]) -> str:
    """` (GET /a: 3, GET /b: 1)`: what each route has to do with it."""
    most = sorted(routes.items(), key=lambda route: (-route[1], route[0]))
    named = [f"{route}: {count}" for route, count in most[:_NAMED]]
    if len(most) > _NAMED:
        named.append(f"{len(most) - _NAMED} more routes")
    return f" ({', '.join(named)})" if named else ""
