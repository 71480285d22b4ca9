"""The workers' threads: each runs an event loop, and serves connections from within that loop's selector."""

from __future__ import annotations

import asyncio
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from slimeweb._after import is_after
from slimeweb._core import HandlerCoroutine, LoopSocket
from slimeweb._forking import end_child
from slimeweb._loop_executor import LoopExecutor
from slimeweb._streaming import is_stream

if TYPE_CHECKING:
    from contextvars import Context

    from _typeshed import FileDescriptorLike

    from slimeweb._core import WorkerHandle

__all__ = ["STOPPING", "WorkerThread", "WorkerThreads"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# epoll's names for what `selectors` calls EVENT_READ and EVENT_WRITE; the values are Linux's.
_READABLE, _WRITABLE = 1, 4

# The most that a transport of a worker's loop reads at a time, in bytes: below glibc's threshold of a mapping.
_READ_SIZE = 64 * 1024

STOPPING = "the server is stopping"
"""The message with which tasks are cancelled at the end."""

# Seconds within which a loop has to react to a stop, once the time of the handlers is over.
_BLOCKED_TIMEOUT = 0.5

_logger = logging.getLogger("slimeweb")


class WorkerSelector(selectors.BaseSelector):
    """A selector that serves a worker's connections while the loop has no callbacks to run.

    The loop's own files (its clients' sockets, its self-pipe) are in one of the system's, which the worker watches.
    """

    def __init__(self, worker: WorkerHandle) -> None:
        self._worker = worker
        # epoll and kqueue, which is what the default is where workers run, have one file for all that they watch.
        files = selectors.DefaultSelector()
        self._files: selectors.BaseSelector = files
        self._fileno: int = files.fileno()
        self._keys: dict[int, selectors.SelectorKey] = {}

    def attach(self, loop: asyncio.AbstractEventLoop, backup_loop: Callable[[], None]) -> None:
        """Connects the selector with its loop, and with the function that runs the loop on a backup thread while its
        own is blocked. `OSError` when the system's selector cannot be watched.
        """
        self._loop = loop
        self._worker.attach(loop, self._fileno, self._run_callbacks, backup_loop)

    def _run_callbacks(self, ready: list[tuple[int, int]] | None) -> bool:
        """Runs the callbacks of files that are ready, as the loop would. False while debugging: `asyncio` times them.

        `ready` has descriptors with epoll's events; `None` is to ask the selector.
        """
        loop: Any = self._loop
        if loop.get_debug():
            return False
        if ready is None:
            ready = [
                (
                    key.fd,
                    (_READABLE if mask & selectors.EVENT_READ else 0)
                    | (_WRITABLE if mask & selectors.EVENT_WRITE else 0),
                )
                for key, mask in self._files.select(0)
            ]
        keys, handles = self._keys, []
        for fd, events in ready:
            if (key := keys.get(fd)) is None:
                continue
            reader, writer = key.data
            if reader is not None and events & ~_WRITABLE:
                if reader._cancelled:
                    loop._remove_reader(key.fileobj)
                else:
                    handles.append(reader)
            if writer is not None and events & ~_READABLE:
                if writer._cancelled:
                    loop._remove_writer(key.fileobj)
                else:
                    handles.append(writer)
        # After all were chosen: a descriptor that one callback closes and opens anew was not ready.
        for handle in handles:
            if not handle._cancelled:
                handle._run()
        return True

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The loop's files that are ready, after at most `timeout` seconds; none where something else is to be done."""
        return self._files.select(0) if self._worker.select(timeout) else []

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        """Begins to watch a file."""
        key = self._files.register(fileobj, events, data)
        self._keys[key.fd] = key
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        """Ceases to watch a file."""
        key = self._files.unregister(fileobj)
        self._keys.pop(key.fd, None)
        return key

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watches a file for something else."""
        key = self._files.modify(fileobj, events, data)
        self._keys[key.fd] = key
        return key

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        """What is watched."""
        return self._files.get_map()

    def get_key(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        """How a file is watched. `KeyError` when it is not."""
        return self._files.get_key(fileobj)

    def close(self) -> None:
        """Ends all of it."""
        self._worker.detach()
        self._files.close()


class WorkerEventLoop(asyncio.SelectorEventLoop):
    """A loop whose callbacks are queued with its worker's other work, and that a backup thread can run while its own is
    inside the selector, blocked by a plain handler.
    """

    def __init__(
        self, worker: WorkerHandle, selector: WorkerSelector, name: str, report: Callable[[BaseException], None]
    ) -> None:
        self._worker = worker
        self._report = report
        self._executor = LoopExecutor(f"{name}-thread")
        self._has_executor_of_its_own = True
        super().__init__(selector)
        # What each task and future asks for is in the object, and not Python: a method of the class takes longer than
        # all the rest of making one.
        vars(self)["is_running"] = worker.is_running

    def set_debug(self, enabled: bool) -> None:
        """As of any loop. It is `asyncio`'s own queue that checks and times callbacks."""
        super().set_debug(enabled)
        # `bool()` is False.
        quick = {"call_soon": self._worker.call_soon, "call_soon_threadsafe": self._worker.call_soon, "get_debug": bool}
        for name, method in quick.items():
            if enabled:
                vars(self).pop(name, None)
            else:
                vars(self)[name] = method

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As of any loop, and looked up only while debugging: in `asyncio`'s own queue the worker does not see it."""
        self._worker.wake_loop()
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As of any loop."""
        self._worker.wake_loop()
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As of any loop. Its own threads, which are there for `None`, do not keep the process from ending."""
        if executor is None and self._has_executor_of_its_own:
            executor = self._executor
        return super().run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: ThreadPoolExecutor) -> None:  # type: ignore[override]
        """As of any loop."""
        super().set_default_executor(executor)
        self._has_executor_of_its_own = False

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As of any loop, but for `timeout`: `WorkerThread.stop` has a limit of its own."""
        await super().shutdown_default_executor()
        await self._executor.ended()

    def stop(self) -> None:
        """As of any loop."""
        super().stop()
        self._worker.wake_loop()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """As of any loop. Whatever handler the application has set, the exception is reported."""
        super().call_exception_handler(context)
        exception = context.get("exception")
        if isinstance(exception, BaseException):
            self._report(exception)

    def _make_socket_transport(self, sock: socket.socket, *args: Any, **options: Any) -> asyncio.Transport:
        transport: Any = super()._make_socket_transport(sock, *args, **options)  # type: ignore[misc]
        # A subclass may override `recv`, or refer to its transport, which the garbage collector would not see.
        if type(sock) is socket.socket:
            transport._sock = LoopSocket(sock)
        # `asyncio` makes a bytes object of that size for each read, and shrinks it. Its own 256 KiB are mapped and
        # unmapped every time, which costs a database client more than the read.
        transport.max_size = _READ_SIZE
        return transport  # type: ignore[no-any-return]

    _backup_thread: int | None = None
    """The backup loop thread that runs it, or is about to."""
    _is_blocked = False
    """Whether its own thread is still in `run_forever`, although a backup loop thread has left it since."""

    def run_forever(self) -> None:
        """As of any loop."""
        try:
            super().run_forever()
        finally:
            self._is_blocked = False

    def run_as_backup(self) -> None:
        """Runs the loop on a backup loop thread, until it is stopped."""
        self._backup_thread = threading.get_ident()
        try:
            super().run_forever()
        finally:
            self._backup_thread = None
            self._is_blocked = True

    def is_running(self) -> bool:
        """Whether the loop runs. No, for a backup loop thread about to run it: a loop asks itself before it begins.

        Looked up only where the worker cannot tell: it says yes to who runs within the loop.
        """
        if self._backup_thread == threading.get_ident():
            return asyncio._get_running_loop() is self
        return self._is_blocked or super().is_running()


class WorkerThread:
    """A worker's thread with its event loop, which runs what its worker is given."""

    def __init__(self, worker: WorkerHandle, name: str, report: Callable[[BaseException], None]) -> None:
        """Starts the thread and returns once its loop runs."""
        self._worker = worker
        self._report = report
        selector = WorkerSelector(worker)
        self._loop = WorkerEventLoop(worker, selector, name, report)
        selector.attach(self._loop, self._run_backup)
        self._started = threading.Event()
        self._no_backup = threading.Event()
        self._no_backup.set()
        self._stopping = False
        self._stop_received = threading.Event()
        # A daemon: a handler that never yields must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._started.wait()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Its event loop."""
        return self._loop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop and waits for what it returns or raises. Not to be called from the loop's own
        thread.
        """
        return self.wait_for(self.submit(coroutine))

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begins to run a coroutine on the loop. From any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, function: Callable[[], object]) -> None:
        """Calls a function on the loop, soon. From any thread. `RuntimeError` when the loop has ended."""
        self._loop.call_soon_threadsafe(function)

    def is_current(self) -> bool:
        """Whether the calling code runs on the loop."""
        return asyncio._get_running_loop() is self._loop

    def wait_for(self, future: Future[T]) -> T:
        """Waits for what a coroutine returns or raises, and cancels it where the waiting is interrupted. Not to be
        called from the loop's own thread.
        """
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def has_handlers(self) -> bool:
        """Whether a coroutine handler, or what `resp.after` was given, is at work, or may be: where the loop is
        blocked, there is no telling.
        """
        asked = asyncio.run_coroutine_threadsafe(_has_handlers(), self._loop)
        try:
            return asked.result(_BLOCKED_TIMEOUT)
        except TimeoutError:
            asked.cancel()
            return True

    def ask_to_stop(self) -> None:
        """Begins to end the loop: `stop` waits for that."""
        if self._thread.is_alive() and not self._stopping:
            self._stopping = True
            self._loop.call_soon_threadsafe(self._stop_received.set)
            self._loop.call_soon_threadsafe(self._loop.stop)

    def stop(self, timeout: float, blocked_timeout: float) -> bool:
        """Ends the loop: cancels its tasks and waits at most `timeout` seconds for their ends, only `blocked_timeout`
        where the loop does nothing because a handler blocks it. True when its thread has ended.
        """
        self.ask_to_stop()
        deadline = time.monotonic() + timeout
        if self._thread.is_alive() and self._stop_received.wait(blocked_timeout):
            self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            waited = timeout if self._stop_received.is_set() else blocked_timeout
            _logger.warning("%s did not end within %g s: a handler blocks it", self._thread.name, waited)
            self._no_backup.wait(blocked_timeout)
            return False
        return True

    def _run(self) -> None:
        loop = self._loop
        loop.call_soon(self._started.set)
        try:
            self._keep_running(loop.run_forever, lambda: self._stopping)
        finally:
            try:
                # Uses up calls of `stop` that are still queued: they would end the runs below.
                loop.call_soon(loop.stop)
                loop.run_forever()
                _cancel_all(loop)
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.run_until_complete(loop.shutdown_default_executor())
            finally:
                loop.close()

    def _run_backup(self) -> None:
        """Runs the loop until its own thread is free again. Called on a backup thread."""
        self._no_backup.clear()
        try:
            self._keep_running(self._loop.run_as_backup, lambda: self._stopping or self._worker.is_recalled())
            if self._stopping:
                # For the loop's own thread, which has not been stopped yet.
                self._loop.call_soon_threadsafe(self._loop.stop)
        finally:
            self._no_backup.set()

    def _keep_running(self, run: Callable[[], None], is_over: Callable[[], bool]) -> None:
        pid = os.getpid()
        while not is_over():
            try:
                run()
            except BaseException as error:
                if os.getpid() != pid:
                    end_child(error)
                # SystemExit in a task, for example: it must not end other requests.
                _logger.exception("%s: the application has tried to end its event loop", self._thread.name)
                self._report(error)


class WorkerThreads:
    """The threads of a server's workers."""

    def __init__(self, workers: Sequence[WorkerHandle], report: Callable[[BaseException], None]) -> None:
        """`report` is given what nobody waits for: exceptions of tasks and of callbacks."""
        self._threads = [WorkerThread(worker, f"slime-loop-{number}", report) for number, worker in enumerate(workers)]

    @property
    def first(self) -> WorkerThread:
        """The first worker's loop, on which asynchronous start functions run."""
        return self._threads[0]

    @property
    def all(self) -> Sequence[WorkerThread]:
        """One for each worker."""
        return self._threads

    def running(self) -> WorkerThread | None:
        """The one whose loop runs the calling code."""
        return next((thread for thread in self._threads if thread.is_current()), None)

    def have_handlers(self) -> bool:
        """Whether a coroutine handler is at work, also one whose answer is out or whose client has left."""
        return any(thread.has_handlers() for thread in self._threads)

    def stop(self, timeout: float = 5.0) -> None:
        """Ends every loop, waiting at most `timeout` seconds for the tasks of each, and no longer than half a second in
        all for those that a handler blocks.
        """
        for thread in self._threads:
            thread.ask_to_stop()
        blocked = time.monotonic() + _BLOCKED_TIMEOUT
        for thread in self._threads:
            thread.stop(timeout, max(0.0, blocked - time.monotonic()))


async def _has_handlers() -> bool:
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return any(
        isinstance(coroutine, HandlerCoroutine) or is_stream(coroutine) or is_after(coroutine)
        for coroutine in coroutines
    )


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel(STOPPING)
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
