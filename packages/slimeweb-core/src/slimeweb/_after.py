"""What `resp.after` was given, once the answer has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slimeweb._cancellation import is_own_cancellation
from slimeweb.concurrency import run_in_threadpool
from slimeweb.handlers import is_coroutine_function

__all__ = ["AfterFunctions", "call_after", "is_after"]

AfterFunctions = Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]


async def call_after(functions: AfterFunctions, on_failed: Callable[[BaseException, Callable[..., Any]], None]) -> None:
    """Calls functions, one after the other: coroutine functions on the running loop, others on the pool. `on_failed` is
    given what one raises, and the function.
    """
    for function, args in functions:
        try:
            if is_coroutine_function(function):
                await function(*args)
            else:
                await run_in_threadpool(function, *args)
        except BaseException as error:
            # SystemExit and the like as well: it is this function's, and must not end the loop.
            if is_own_cancellation(error):
                raise
            on_failed(error, function)


def is_after(coroutine: object) -> bool:
    """Whether it is that of a task that calls such functions."""
    return getattr(coroutine, "cr_code", None) is call_after.__code__
