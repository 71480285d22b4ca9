"""Plain functions that coroutines wait for."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from slimeweb._core import call_in_pool
from slimeweb.errors import HttpError

__all__ = ["run_in_threadpool"]

P = ParamSpec("P")
T = TypeVar("T")


def run_in_threadpool(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Calls a plain function on a thread of the server's pool, where plain handlers run too, in a copy of the current
    context (`contextvars`); the future has what it returns or raises.

    `HttpError` 503 with `Retry-After` when `pool_threads` and `worker_queue_size` are used up: nothing is called then.
    Cancelling the future prevents a call that has not begun; one that has goes on to its end, and its outcome is
    dropped. `RuntimeError` on a thread that is not the server's, or where no event loop runs.

        rows = await run_in_threadpool(database.execute, "select 1")
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()
    if not call_in_pool(_run, loop, future, partial(context.run, function, *args, **kwargs)):
        raise HttpError(503, "Service Unavailable: too many calls are waiting", {"Retry-After": "1"})
    return future


def _run(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], call: Callable[[], Any]) -> None:
    if future.done():
        return
    pid = os.getpid()
    settle: Callable[[Any], object]
    try:
        settle, outcome = future.set_result, call()
    except BaseException as error:
        if os.getpid() != pid:
            raise
        settle, outcome = future.set_exception, _not_a_stop(error)
    if os.getpid() != pid:
        # A child that the function has forked: the server ends it.
        return
    try:
        loop.call_soon_threadsafe(_settle, future, settle, outcome)
    except RuntimeError:
        # The loop has ended, and with it who awaited this.
        if not loop.is_closed():
            raise


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], object], outcome: Any) -> None:
    if not future.done():
        settle(outcome)


def _not_a_stop(error: BaseException) -> BaseException:
    """The error, or one that a future can have in place of a `StopIteration`, which would end the coroutine's own
    generator (PEP 479).
    """
    if not isinstance(error, StopIteration):
        return error
    replacement = RuntimeError("the function raised StopIteration")
    replacement.__cause__ = error
    return replacement
