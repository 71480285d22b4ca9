"""The lifespan of an ASGI application: one task, on the loop that answers its requests.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

__all__ = ["Lifespan"]

_logger = logging.getLogger("slimeweb")


class Lifespan:
    """Starts and ends an application. `state` is what the application has put into `scope["state"]` at its start.

    `on_failure` is given why it cannot go on, where it raises while it is being served.
    """

    def __init__(self, application: Any, path: str, on_failure: Callable[[RuntimeError], object]) -> None:
        self._application = application
        self._on_failure = on_failure
        self._name = f"the ASGI application at {path or '/'}"
        self.state: dict[str, Any] = {}
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._phase = ""
        self._outcome: asyncio.Future[dict[str, Any]] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Has the application start. `RuntimeError` where it says that it has failed.

        An application that raises at once has no lifespan, and is served without.
        """
        self.state.clear()
        self._inbox = asyncio.Queue()
        try:
            answer = await self._ask("startup")
        except asyncio.CancelledError:
            # The server stops before the application has started: there is nothing to end.
            if self._task is not None:
                self._task.cancel()
                self._task = None
            raise
        if answer is None:
            self._task = None
        elif answer["type"] == "lifespan.startup.failed":
            self._task = None
            raise RuntimeError(f"{self._name} has failed to start: {answer.get('message', '')}")
        elif self._task is not None:
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # One that returns early does nothing at its end. `end` has taken the task of one that was told to end.
        if task is not self._task:
            return
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        if failure is not None:
            error = RuntimeError(f"the lifespan of {self._name} has failed while it was being served: {failure!r}")
            error.__cause__ = failure
            _logger.error("%s: the server stops", error)
            self._on_failure(error)

    async def end(self) -> None:
        """Has the application end, and waits for that."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            answer = None if task.done() else await self._ask("shutdown", task)
        except asyncio.CancelledError:
            _logger.error("%s has not ended in time, and is cancelled", self._name)
            task.cancel()
            raise
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            _logger.error("%s has failed to end: %s", self._name, answer.get("message", ""))

    async def _ask(self, phase: str, task: asyncio.Task[None] | None = None) -> dict[str, Any] | None:
        """Tells the application; its answer, `None` where it ends without one."""
        loop = asyncio.get_running_loop()
        self._phase, self._outcome = phase, loop.create_future()
        self._inbox.put_nowait({"type": f"lifespan.{phase}"})
        if task is None:
            self._task = task = loop.create_task(self._run(), name=f"lifespan of {self._name}")
        awaited: set[asyncio.Future[Any]] = {task, self._outcome}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if self._outcome.done():
            return self._outcome.result()
        if (error := task.exception()) is not None:
            # At the start it is how an application says that it has none.
            level = logging.INFO if phase == "startup" else logging.ERROR
            _logger.log(level, "%s has no lifespan.%s: %r", self._name, phase, error)
        return None

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        await self._application(scope, self._inbox.get, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        outcome, kind = self._outcome, message["type"]
        known = (f"lifespan.{self._phase}.complete", f"lifespan.{self._phase}.failed")
        if kind not in known or outcome is None or outcome.done():
            raise RuntimeError(f"{self._name} has sent {kind!r}, which has no place here")
        outcome.set_result(message)
