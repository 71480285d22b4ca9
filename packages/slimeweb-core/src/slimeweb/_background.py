"""What runs beside requests: tasks of `app.spawn`, functions of `@app.every`, and those of `resp.after`."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from slimeweb._after import AfterFunctions, call_after
from slimeweb._cancellation import is_own_cancellation
from slimeweb._foreign_loops import note_foreign_loop
from slimeweb._worker_loop import WorkerThread, WorkerThreads
from slimeweb.concurrency import run_in_threadpool
from slimeweb.errors import ConfigError
from slimeweb.handlers import Handler, check_handler, describe, is_coroutine_function
from slimeweb.resources import asked_by

if TYPE_CHECKING:
    from contextvars import Context

    from slimeweb._core import SlimeRequest

__all__ = ["BackgroundTasks", "PeriodicFunction"]

_logger = logging.getLogger("slimeweb")


class Report(Protocol):
    """`Slime.report_exception`."""

    def __call__(self, exc: BaseException, where: str, req: SlimeRequest | None = None, /) -> None: ...


@dataclass(frozen=True, slots=True)
class PeriodicFunction:
    """What `@app.every` declares: a function whose arguments are resources, and the seconds between its beginnings."""

    seconds: float
    function: Handler

    @staticmethod
    def declare(seconds: float, function: Handler) -> PeriodicFunction:
        """`InvalidHandler` for what is no function."""
        check_handler(function, "app.every", asked_by(function, "app.every"))
        return PeriodicFunction(seconds, function)

    @staticmethod
    def check_seconds(seconds: object) -> float:
        """`ConfigError` for what is no time."""
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < math.inf:
            raise ConfigError(f"app.every({seconds!r}): give the seconds between two runs, a number above 0")
        return seconds


class BackgroundTasks:
    """The tasks of one server. May be used from any thread."""

    def __init__(self, threads: WorkerThreads, report: Report) -> None:
        """`report` is given what a task has raised, where, and for which request."""
        self._threads = threads
        self._report = report
        # Event loops refer to tasks weakly. Each set is changed on its own loop's thread alone.
        self._tasks: dict[WorkerThread, set[asyncio.Task[None]]] = {thread: set() for thread in threads.all}

    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Runs a coroutine as a task of the loop that calls this, of the first worker's elsewhere. `ConfigError` where
        that has ended.
        """
        thread = self._threads.running() or self._threads.first
        name = f"app.spawn: {describe_coroutine(coroutine)}"
        self._begin(thread, coroutine, name, "background")

    def repeat(self, periodic: PeriodicFunction, arguments: Mapping[str, Any]) -> None:
        """Begins to run a function again and again, on the first worker, with these arguments."""
        name = f"app.every({periodic.seconds:g}): {describe(periodic.function)}"
        self._begin(self._threads.first, self._repeat(periodic, arguments, name), name, "every")

    def call_after(self, req: SlimeRequest, functions: AfterFunctions, context: Context) -> None:
        """Begins to call the functions that `resp.after` was given, as a task of the running loop, a worker's."""

        def failed(error: BaseException, function: Callable[..., Any]) -> None:
            self._failed(error, f"resp.after: {describe(function)}", "after", req)

        loop = asyncio.get_running_loop()
        thread = self._threads.running() or self._threads.first
        name = f"resp.after: {', '.join(describe(function) for function, _ in functions)}"
        self._hold(thread, loop.create_task(call_after(functions, failed), name=name, context=context))

    def stop(self, timeout: float) -> None:
        """Cancels all tasks, and waits at most `timeout` seconds for their ends."""
        ending = [thread.submit(_cancel(tasks)) for thread, tasks in self._tasks.items() if tasks]
        _, late = wait(ending, timeout)
        if late:
            _logger.warning("stopping: tasks of app.spawn, app.every and resp.after did not end within %g s", timeout)

    def _begin(self, thread: WorkerThread, coroutine: Coroutine[Any, Any, object], name: str, where: str) -> None:
        guarded = self._guarded(coroutine, name, where)

        def begin() -> None:
            self._hold(thread, asyncio.get_running_loop().create_task(guarded, name=name))

        if thread.is_current():
            begin()
            return
        try:
            thread.call(begin)
        except RuntimeError as error:
            guarded.close()
            coroutine.close()
            raise ConfigError(f"{name} cannot begin: the server has stopped") from error

    def _hold(self, thread: WorkerThread, task: asyncio.Task[None]) -> None:
        tasks = self._tasks[thread]
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _guarded(self, coroutine: Coroutine[Any, Any, object], name: str, where: str) -> None:
        try:
            await coroutine
        except BaseException as error:
            # SystemExit and the like as well: it is this task's, and must not end the loop.
            if is_own_cancellation(error):
                raise
            self._failed(error, name, where)

    async def _repeat(self, periodic: PeriodicFunction, arguments: Mapping[str, Any], name: str) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + periodic.seconds
        while True:
            await asyncio.sleep(due - loop.time())
            try:
                if is_coroutine_function(periodic.function):
                    await periodic.function(**arguments)
                else:
                    await run_in_threadpool(periodic.function, **arguments)
            except BaseException as error:
                if is_own_cancellation(error):
                    raise
                self._failed(error, name, "every")
            # What would have begun meanwhile is left out.
            due += periodic.seconds * max(1, math.ceil((loop.time() - due) / periodic.seconds))

    def _failed(self, error: BaseException, name: str, where: str, req: SlimeRequest | None = None) -> None:
        note_foreign_loop(error)
        _logger.error("%s failed%s", name, "" if req is None else f" (request {req.id})", exc_info=error)
        self._report(error, where, req)


def describe_coroutine(coroutine: object) -> str:
    """The name of a coroutine's function, and where that is."""
    code = getattr(coroutine, "cr_code", None)
    name = getattr(coroutine, "__qualname__", None) or repr(coroutine)
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
