"""Event loops: one per worker, each in a thread of its own, on which coroutine handlers run."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from slimeweb._core import Exchange, LoopPort, SlimeRequest, SlimeResponse

__all__ = ["LoopThread", "Loops", "drive", "spawn"]

T = TypeVar("T")
Endpoint = Callable[["SlimeRequest", "SlimeResponse"], Coroutine[Any, Any, object]]

_logger = logging.getLogger("slimeweb")


async def drive(endpoint: Endpoint, req: SlimeRequest, resp: SlimeResponse, exchange: Exchange) -> None:
    """Runs a coroutine handler to its end and hands its outcome to the exchange."""
    try:
        result = await endpoint(req, resp)
    except asyncio.CancelledError as error:
        exchange.fail(error)
        raise
    except BaseException as error:
        # SystemExit and the like included: they would end the loop, and with it everybody else's requests.
        exchange.fail(error)
    else:
        exchange.finish(result)


if sys.version_info >= (3, 12):

    def spawn(endpoint: Endpoint, req: SlimeRequest, resp: SlimeResponse, exchange: Exchange) -> asyncio.Task[None]:
        """Starts a coroutine handler as a task of the running loop. One that never suspends is done when this
        returns.
        """
        loop = asyncio.get_running_loop()
        return asyncio.Task(drive(endpoint, req, resp, exchange), loop=loop, eager_start=True)

else:

    def spawn(endpoint: Endpoint, req: SlimeRequest, resp: SlimeResponse, exchange: Exchange) -> asyncio.Task[None]:
        """Starts a coroutine handler as a task of the running loop."""
        return asyncio.get_running_loop().create_task(drive(endpoint, req, resp, exchange))


class LoopThread:
    """A running event loop that does what arrives at its port."""

    def __init__(self, port: LoopPort, name: str) -> None:
        """Starts the thread and returns once its loop runs."""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._running = threading.Event()
        # A daemon: a handler that never yields must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._running.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop and waits for what it returns or raises. Not to be called from the loop's own
        thread.
        """
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self, timeout: float) -> bool:
        """Ends the loop: cancels its tasks and waits at most `timeout` seconds. True when its thread has ended."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout)
        if self._thread.is_alive():
            _logger.warning("%s did not end within %g s: a handler blocks it", self._thread.name, timeout)
            return False
        return True

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        loop.add_reader(self._port.fileno(), self._port.drain)
        loop.call_soon(self._running.set)
        try:
            loop.run_forever()
        finally:
            try:
                loop.remove_reader(self._port.fileno())
                _cancel_all(loop)
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.run_until_complete(loop.shutdown_default_executor())
            finally:
                asyncio.set_event_loop(None)
                loop.close()


class Loops:
    """The loops of a server, one per worker."""

    def __init__(self, ports: Sequence[LoopPort]) -> None:
        self._threads = [LoopThread(port, f"slime-loop-{number}") for number, port in enumerate(ports)]

    @property
    def first(self) -> LoopThread:
        """The first worker's loop, on which asynchronous start functions run."""
        return self._threads[0]

    def stop(self, timeout: float = 5.0) -> None:
        """Ends every loop, waiting at most `timeout` seconds for each."""
        for thread in self._threads:
            thread.stop(timeout)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
