"""What an exception is beyond its class: a cancellation of the running task, one for a forked process, one that a
generator has only let pass.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

__all__ = ["is_cancelled", "is_of_child", "is_own_cancellation", "is_same", "wait_uncancelled"]


def is_own_cancellation(error: BaseException) -> bool:
    """Whether the running task itself has been cancelled: by the server, when the client leaves or it stops. Otherwise
    a `CancelledError` is of something that the task has awaited.
    """
    return isinstance(error, asyncio.CancelledError) and is_cancelled()


def is_cancelled() -> bool:
    """Whether the running task has been cancelled, and not uncancelled since."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


def is_of_child(error: BaseException, pid: int) -> bool:
    """Whether the exception, such as SystemExit, is to end a process that the handler forked from `pid`, the
    server's.
    """
    return not isinstance(error, Exception) and os.getpid() != pid


def is_same(raised: BaseException, error: BaseException | None) -> bool:
    """Whether a generator has let pass what was raised at its `yield`: PEP 479 puts another one in the place of a
    `StopIteration`.
    """
    if raised is error:
        return True
    return (
        isinstance(error, StopIteration | StopAsyncIteration)
        and isinstance(raised, RuntimeError)
        and raised.__cause__ is error
    )


async def wait_uncancelled(future: asyncio.Future[Any], on_cancel: Callable[[], object] | None = None) -> None:
    """Waits until a thread's work is done, also where the running task is cancelled meanwhile: `on_cancel` is called
    then, and `CancelledError` raised at the end.
    """
    cancelled: BaseException | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
            if on_cancel is not None:
                on_cancel()
    if cancelled is not None:
        # What has become of it is of no interest to anybody.
        future.exception()
        try:
            raise cancelled
        finally:
            cancelled = None
