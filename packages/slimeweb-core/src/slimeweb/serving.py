"""The life of a running server, from the address it binds to the last function that `@app.end` declared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slimeweb.access import log_access
from slimeweb.forking import close_sockets, in_children
from slimeweb.lifecycle import Lifecycle
from slimeweb.loops import Loops
from slimeweb.plugins import Plugins
from slimeweb.settings import Launch

if TYPE_CHECKING:
    from slimeweb._core import Server, SlimeRequest, SlimeResponse
    from slimeweb.app import Slime
    from slimeweb.plan import Plan, StaticMount

__all__ = ["Compiled", "Serving"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """An application as the server takes it."""

    plans: Sequence[Plan]
    mounts: Sequence[StaticMount]
    fallback: Plan | None
    on_error: Callable[[SlimeRequest, SlimeResponse, BaseException], None]
    request_members: Mapping[str, Callable[..., Any]]
    response_members: Mapping[str, Callable[..., Any]]


class Serving:
    """One server that runs an application, in four steps: made (bound), `start`, `wait`, `finish`.

    `shutdown` may be called from any thread, at any time, and again.
    """

    def __init__(
        self,
        app: Slime,
        compiled: Compiled,
        launch: Launch,
        lifecycle: Lifecycle,
        plugins: Plugins,
        on_finished: Callable[[], None],
    ) -> None:
        """Binds the address. `OSError` when it cannot be had; nothing of the application has run by then."""
        from slimeweb._core import Server

        self._app = app
        self._compiled = compiled
        self._launch = launch
        self._lifecycle = lifecycle
        self._plugins = plugins
        self._on_finished = on_finished
        self._lock = threading.Lock()
        self._serving = False
        self._stopping = False
        self._loops: Loops | None = None
        self._server: Server = Server(app, launch.server)
        self._is_over = False
        in_children(self._forget)

    @property
    def urls(self) -> list[str]:
        """Where it answers: `http://127.0.0.1:3000`, or `unix:/path`."""
        scheme = "https" if self._launch.server.tls_cert else "http"
        addresses = self._server.addresses
        return [address if address.startswith("unix:") else f"{scheme}://{address}" for address in addresses]

    @property
    def port(self) -> int:
        """The TCP port, 0 for a Unix socket."""
        return self._server.port

    def start(self) -> None:
        """Starts the event loops, runs the start functions, then serves. Raises what a start function or a plugin
        raised.
        """
        self._loops = Loops(self._server.ports())
        self._plugins.call("slime_startup", app=self._app)
        self._lifecycle.start(self._loops.first)
        compiled = self._compiled
        with self._lock:
            if self._stopping:
                return
            self._server.start(
                compiled.plans,
                compiled.mounts,
                compiled.fallback,
                compiled.on_error,
                compiled.request_members,
                compiled.response_members,
                log_access if self._launch.access_log else None,
            )
            self._serving = True

    def shutdown(self) -> None:
        """Begins to stop: nothing new is accepted, what is in flight finishes within the grace time. Returns at
        once.
        """
        with self._lock:
            first, self._stopping = not self._stopping, True
        if not (first and self._serving):
            return
        self._server.shutdown()
        self._plugins.tell("slime_stopping", app=self._app)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the server has stopped, at most `timeout` seconds: true when it has."""
        return self._server.wait(timeout) if self._serving else True

    def finish(self, error: BaseException | None = None) -> None:
        """Ends what is left, runs the end functions with `error`, then the plugins', and closes the event loops."""
        self._server.stop()
        try:
            try:
                self._lifecycle.end(error)
            finally:
                self._plugins.tell("slime_shutdown", app=self._app, error=error)
        finally:
            if self._loops is not None:
                self._loops.stop()
            self._is_over = True
            self._on_finished()

    def _forget(self) -> None:
        # In a forked child. No lock: its owner may be a thread of the parent.
        from slimeweb._core import forget_server

        if not self._is_over:
            close_sockets(self._server.addresses)
            if self._serving:
                forget_server()
