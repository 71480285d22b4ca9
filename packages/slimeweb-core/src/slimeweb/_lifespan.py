"""What `@app.start` and `@app.end` declare."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from slimeweb._background import PeriodicFunction
from slimeweb._resource_graph import ResourceGraph
from slimeweb._worker_loop import WorkerThread
from slimeweb.handlers import Handler, check_handler, describe, is_coroutine_function
from slimeweb.resources import Resources, asked_by

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["Lifespan", "arguments_of"]

_logger = logging.getLogger("slimeweb")


class Lifespan:
    """Functions that run once before the first request, and once after the last."""

    __slots__ = ("_ends", "_periodic", "_starts")

    def __init__(self) -> None:
        self._starts: tuple[Handler, ...] = ()
        self._ends: tuple[Callable[[BaseException | None], object], ...] = ()
        self._periodic: tuple[PeriodicFunction, ...] = ()

    @property
    def periodic(self) -> tuple[PeriodicFunction, ...]:
        """What is to run again and again while the application is served."""
        return self._periodic

    def on_every(self, periodic: PeriodicFunction) -> None:
        """Declares a function that runs again and again."""
        self._periodic = (*self._periodic, periodic)

    def on_start(self, function: Handler) -> None:
        """Declares a start function, plain or asynchronous, whose arguments are resources. `InvalidHandler` for what is
        none.
        """
        check_handler(function, "app.start", asked_by(function, "app.start"))
        self._starts = (*self._starts, function)

    def on_end(self, function: Handler) -> None:
        """Declares an end function of one argument, plain or asynchronous. `InvalidHandler` for another."""
        check_handler(function, "app.end", ("error",))
        self._ends = (*self._ends, function)

    def check(self, graph: ResourceGraph) -> None:
        """`ConfigError` for a function that takes what is no resource of the application or of a worker."""
        for function in self._starts:
            graph.check_function(function, "the start function")
        for periodic in self._periodic:
            graph.check_function(periodic.function, "the function of app.every")

    def start(self, app: Slime, loop: WorkerThread, resources: Resources) -> None:
        """Runs the start functions in order: plain ones here, asynchronous ones on `loop`, whose resources they take.
        The first that raises ends it.
        """
        for function in self._starts:
            call = partial(function, **arguments_of(function, app, resources))
            if is_coroutine_function(function):
                loop.run(call())
            else:
                call()

    def end(
        self,
        error: BaseException | None,
        report: Callable[[BaseException, str], None],
        loop: WorkerThread | None,
        timeout: float,
    ) -> None:
        """Runs every end function with `error`: plain ones here, asynchronous ones on `loop`, for at most `timeout`
        seconds each. One that raises is logged and reported, and does not keep the others from running; `SystemExit`
        and its like are raised after the last.
        """
        ending: BaseException | None = None
        for function in self._ends:
            try:
                if not is_coroutine_function(function):
                    function(error)
                elif loop is None:
                    # The server has ended before it had one.
                    asyncio.run(_within(timeout, function, error))
                else:
                    loop.run(_within(timeout, function, error))
            except Exception as failure:
                _logger.exception("app.end: %s failed", describe(function))
                report(failure, "end")
            except BaseException as raised:
                ending = ending or raised
        if ending is not None:
            raise ending


def arguments_of(function: Callable[..., object], app: Slime, resources: Resources) -> dict[str, Any]:
    """What a function that has been checked is called with: the resources that it takes, and the application."""
    return {name: app if name == "app" else resources[name] for name in asked_by(function, "it")}


async def _within(timeout: float, function: Handler, error: BaseException | None) -> None:
    async with asyncio.timeout(timeout):
        await function(error)
