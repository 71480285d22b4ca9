"""Which exceptions are not for the request that they are raised in."""

from __future__ import annotations

import asyncio
import os

__all__ = ["is_of_child", "is_own_cancellation"]


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
