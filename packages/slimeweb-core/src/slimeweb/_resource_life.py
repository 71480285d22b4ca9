"""The resources that live as long as an application or a worker: each loop has one task, in which its own begin and
end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TYPE_CHECKING, Any

from slimeweb._resource_graph import ResourceGraph
from slimeweb._resource_scope import ScopeSteps
from slimeweb._resource_steps import Begun, Step, end_async, step_of
from slimeweb._worker_loop import WorkerThread
from slimeweb.errors import ConfigError, ResourceError
from slimeweb.resources import Resources

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["ResourceLifespan"]

_logger = logging.getLogger("slimeweb")


class ResourceLifespan:
    """Begins the resources of an application, and then those of its workers, side by side; ends what has begun."""

    def __init__(self, app: Slime, graph: ResourceGraph, on_failure: Callable[[ResourceError], None]) -> None:
        """`on_failure` is told of one that fails after the start, on its loop's thread."""
        self._app = app
        self._graph = graph
        self._on_failure = on_failure
        self._begun: list[list[_LoopResources]] = []
        self.workers: tuple[Resources, ...] = ()
        """What requests use, by the number of their worker."""
        self.steps = ScopeSteps(app, graph)
        """How `app.scope()` makes others."""
        self._shared = Resources()

    def start(self, threads: Sequence[WorkerThread]) -> None:
        """Raises `ResourceError` for the first that fails."""
        app = [step_of(each, self._app) for each in self._graph.of_scope("app")]
        worker = [step_of(each, self._app) for each in self._graph.of_scope("worker")]
        shared: dict[str, Any] = {}
        if app:
            self._begin([_LoopResources(app, shared, threads[0], "", self._on_failure)])
        self._shared = Resources(shared, self._graph.names)
        each_values = [dict(shared) for _ in threads]
        if worker:
            numbered = zip(each_values, threads, strict=True)
            self._begin(
                [
                    _LoopResources(worker, values, thread, f" on worker {number}", self._on_failure)
                    for number, (values, thread) in enumerate(numbered)
                ]
            )
        self.workers = tuple(
            Resources(values, self._graph.names, thread.loop)
            for values, thread in zip(each_values, threads, strict=True)
        )

    def here(self, *, is_async: bool) -> Resources:
        """What the calling code can use: the resources of the worker whose loop runs it. Elsewhere those of the first
        worker, in a coroutine those of the application alone. `ConfigError` before they are there.
        """
        if not self.workers:
            raise ConfigError("app.scope(): the resources of the server are not there yet: use it from app.start on")
        loop = asyncio._get_running_loop()
        elsewhere = self._shared if is_async else self.workers[0]
        return next((each for each in self.workers if each._loop is loop), elsewhere) if loop else elsewhere

    def _begin(self, group: list[_LoopResources]) -> None:
        self._begun.append(group)
        for each in group:
            each.begin()
        made = [each.made for each in group]
        wait(made, return_when=FIRST_EXCEPTION)
        for future in made:
            if future.done():
                future.result()

    def end(self, timeout: float) -> None:
        """Ends those of the workers, side by side, then those of the application: waits at most `timeout` seconds in
        all. What they raise is logged and shown to plugins.
        """
        deadline = time.monotonic() + timeout
        while self._begun:
            group = self._begun.pop()
            for each in group:
                each.leave()
            for each in group:
                failure = each.wait(deadline)
                if failure is not None:
                    _logger.error("%s", failure, exc_info=failure)
                    self._app.report_exception(failure, "end")


class _LoopResources:
    """Resources in one task of a loop: made one after the other, and ended in the reverse order."""

    def __init__(
        self,
        steps: Sequence[Step],
        values: dict[str, Any],
        thread: WorkerThread,
        where: str,
        on_failure: Callable[[ResourceError], None],
    ) -> None:
        self._steps = steps
        self._values = values
        self._thread = thread
        self._where = where
        self._on_failure = on_failure
        self._leave = asyncio.Event()
        self._is_leaving = False
        self._task: asyncio.Task[None] | None = None
        self._current: Step | None = None
        self.made: Future[None] = Future()
        """Done once all have been made, or with why not."""
        self._ended: Future[ResourceError | None] = Future()

    def begin(self) -> None:
        """Begins to make them: `made` is for waiting."""
        self._thread.loop.call_soon_threadsafe(self._begin)

    def leave(self) -> None:
        """Begins the end. What is being made is cancelled."""
        self._is_leaving = True
        self._thread.loop.call_soon_threadsafe(self._interrupt, False)

    def wait(self, deadline: float) -> ResourceError | None:
        """Waits for the end; what has gone wrong with it."""
        wait([self._ended], max(0.0, deadline - time.monotonic()))
        if not self._ended.done():
            self._thread.loop.call_soon_threadsafe(self._interrupt, True)
            return ResourceError(f"{self._named(self._current)} did not end in time, and is cancelled")
        return self._ended.result()

    def _begin(self) -> None:
        self._task = self._thread.loop.create_task(self._live())
        self._task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        # One that was cancelled before its first step has set nothing.
        if not self._ended.done():
            self.made.set_exception(ResourceError(f"the start was given up{self._where}"))
            self._ended.set_result(None)

    def _interrupt(self, is_late: bool) -> None:
        assert self._task is not None
        if is_late or not self.made.done():
            self._task.cancel()
        else:
            self._leave.set()

    async def _live(self) -> None:
        begun: list[Begun] = []
        error: BaseException | None = None
        failure: ResourceError | None = None
        try:
            try:
                for step in self._steps:
                    self._current = step
                    await step.make_async(self._values, begun)
                self.made.set_result(None)
                await self._leave.wait()
            except BaseException as raised:
                # A task group or a timeout, entered in a resource, may have cancelled this task: its exit says more.
                error = raised
            culprit = None if self.made.done() else self._current
            self._current = begun[0][1] if begun else None
            error, ender = await end_async(begun, error)
            is_cancelled = isinstance(error, asyncio.CancelledError) and ender is None
            if error is not None and not (is_cancelled and self._is_leaving):
                why = f"{type(error).__name__}: {error}".removesuffix(": ")
                failure = ResourceError(f"{self._named(ender or culprit)} failed: {why}")
                failure.__cause__ = error
        finally:
            del error
            if not self.made.done():
                self.made.set_exception(failure or ResourceError(f"the start was given up{self._where}"))
                failure = None
            self._ended.set_result(failure if self._is_leaving else None)
        if failure is not None and not self._is_leaving:
            self._on_failure(failure)

    def _named(self, step: Step | None) -> str:
        what = "a resource" if step is None else f"the resource {step.resource}"
        return f"{what}{self._where}"
