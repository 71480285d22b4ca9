"""Threads for what coroutines hand over to one: `asyncio.to_thread`, `run_in_executor(None, …)`, name lookups."""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from slimeweb._forking import end_child

__all__ = ["LoopExecutor"]

T = TypeVar("T")
P = ParamSpec("P")

_Job = Callable[[], None]


class LoopExecutor(Executor):
    """As `concurrent.futures.ThreadPoolExecutor`, with as many threads as that has by default, but its threads do not
    keep the process from ending: a call that goes on after the server's grace time is left where it is.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._most = min(32, (os.cpu_count() or 1) + 4)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._numbers = itertools.count()
        self._is_over = False
        self._ended: Future[None] = Future()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls a function on one of the threads. `RuntimeError` after `shutdown`, or when there is no thread to be
        had.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._is_over:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
                self._start()
            self._jobs.put(lambda: _run(future, lambda: fn(*args, **kwargs)))
        return future

    def _start(self) -> None:
        # A daemon: Python waits for all others at the end of the process.
        name = f"{self._name}-{next(self._numbers)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            if not self._threads:
                raise

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job
            self._idle.release()
        with self._lock:
            self._threads.discard(threading.current_thread())
            is_last = not self._threads
        if is_last:
            self._ended.set_result(None)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes nothing more; what has been submitted is still done. `cancel_futures` has no effect."""
        with self._lock:
            first, self._is_over = not self._is_over, True
            if first:
                for _ in self._threads:
                    self._jobs.put(None)
                if not self._threads:
                    self._ended.set_result(None)
        if wait:
            self._ended.result()

    async def ended(self) -> None:
        """As `shutdown`, for a coroutine: waits until everything that was submitted is done."""
        self.shutdown(wait=False)
        await asyncio.wrap_future(self._ended)


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    pid = os.getpid()
    try:
        result = call()
    except BaseException as error:
        if os.getpid() != pid:
            end_child(error)
        future.set_exception(error)
        # The traceback holds this frame, and this frame the future.
        del future
    else:
        if os.getpid() != pid:
            end_child()
        future.set_result(result)
