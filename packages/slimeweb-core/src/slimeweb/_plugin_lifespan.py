"""The hooks around a server's life: `slime_startup`, and in the reverse order `slime_stopping` and `slime_shutdown`."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from slimeweb._plugin_manager import Implementation, PluginManager, call_each
from slimeweb._worker_loop import WorkerThread
from slimeweb.errors import PluginError

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["PluginLifespan"]

_logger = logging.getLogger("slimeweb")


class PluginLifespan:
    """Starts the plugins of an application, and ends those that have started. Implementations that are `async def` run
    on a worker's loop.
    """

    __slots__ = ("_app", "_loop", "_plugins", "_started", "_stopping")

    def __init__(self, app: Slime, plugins: PluginManager) -> None:
        self._app = app
        self._plugins = plugins
        self._loop: WorkerThread | None = None
        self._started: frozenset[str] = frozenset()
        self._stopping: tuple[tuple[Implementation, Future[None]], ...] = ()

    def start(self, loop: WorkerThread) -> None:
        """Calls `slime_startup` in order, and waits for each; the first that raises ends it. Plugins without that hook
        have started by then.
        """
        self._loop = loop
        starts = self._plugins.implementations("slime_startup")
        to_start = {each.plugin.name for each in starts if not each.is_wrapper}
        self._started = frozenset(plugin.name for plugin in self._plugins.plugins if plugin.name not in to_start)

        def run(implementation: Implementation, arguments: Mapping[str, Any]) -> None:
            future = self._begin(implementation, arguments)
            if future is not None:
                with _naming_cancellation(implementation):
                    loop.wait_for(future)
            self._started |= {implementation.plugin.name}

        call_each(starts, {"app": self._app}, run)

    def stop(self) -> None:
        """Calls `slime_stopping`, and does not wait for those that are asynchronous: `wait_for_stop` does."""

        def run(implementation: Implementation, arguments: Mapping[str, Any]) -> None:
            future = self._begin(implementation, arguments)
            if future is not None:
                self._stopping = (*self._stopping, (implementation, future))

        self._end("slime_stopping", {"app": self._app}, run)

    def wait_for_stop(self, timeout: float) -> None:
        """Waits for what `stop` has begun, at most `timeout` seconds, and cancels the rest."""
        deadline = time.monotonic() + timeout
        for implementation, future in self._stopping:
            self._told(partial(_wait, implementation, future, deadline))

    def shutdown(self, error: BaseException | None, timeout: float) -> None:
        """Calls `slime_shutdown` and waits, at most `timeout` seconds in all for those that are asynchronous."""
        deadline = time.monotonic() + timeout

        def run(implementation: Implementation, arguments: Mapping[str, Any]) -> None:
            future = self._begin(implementation, arguments)
            if future is not None:
                _wait(implementation, future, deadline)

        self._end("slime_shutdown", {"app": self._app, "error": error}, run)

    def _begin(self, implementation: Implementation, arguments: Mapping[str, Any]) -> Future[None] | None:
        """Calls an implementation; gives what to wait for where it is asynchronous."""
        result = implementation.call(arguments)
        if not inspect.iscoroutine(result) or self._loop is None:
            return None
        return self._loop.submit(_naming(implementation, result))

    def _end(
        self,
        hook: str,
        arguments: Mapping[str, Any],
        run: Callable[[Implementation, Mapping[str, Any]], None],
    ) -> None:
        """Calls a hook of those plugins that have started, last started first; `tryfirst` and `trylast` come before and
        after all others. One that raises does not keep the others from running.
        """
        ranks = {each.plugin.name: each.rank for each in self._plugins.implementations("slime_startup")}
        started = sorted(self._plugins.plugins, key=lambda plugin: ranks.get(plugin.name, 1))
        order = {plugin.name: -number for number, plugin in enumerate(started)}
        ends = [each for each in self._plugins.implementations(hook) if each.plugin.name in self._started]
        ends.sort(key=lambda each: (each.rank, order[each.plugin.name]))
        raised: list[BaseException] = []

        def guarded(implementation: Implementation, arguments: Mapping[str, Any]) -> None:
            try:
                self._told(lambda: run(implementation, arguments))
            except BaseException as error:
                raised.append(error)

        self._told(lambda: call_each(ends, arguments, guarded))
        if raised:
            raise raised[0]

    def _told(self, call: Callable[[], object]) -> None:
        """Calls what may fail: nobody can be raised to, so it is logged and shown to those who watch."""
        try:
            call()
        except PluginError as error:
            _logger.error("%s", error, exc_info=error)
            self._app.report_exception(error, "end")


async def _naming(implementation: Implementation, coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        await coroutine
    except BaseException as error:
        implementation.fail(error)


def _wait(implementation: Implementation, future: Future[None], deadline: float) -> None:
    left = max(0.0, deadline - time.monotonic())
    wait([future], left)
    if not future.done():
        future.cancel()
        raise implementation.plugin.error(f": {implementation.hook} did not end in time, and has been cancelled")
    with _naming_cancellation(implementation):
        future.result()


@contextmanager
def _naming_cancellation(implementation: Implementation) -> Iterator[None]:
    try:
        yield
    except CancelledError as error:
        raise implementation.plugin.error(f": {implementation.hook} was cancelled") from error
