"""Signals that end a server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from slimeweb.forking import in_children
from slimeweb.serving import Serving

__all__ = ["TerminationSignals", "run_in_foreground"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class _Stopped(BaseException):
    """A signal came while the start functions were running."""


def run_in_foreground(serving: Serving, announce: Callable[[], None]) -> None:
    """Runs a bound server until a signal, or something else, ends it; `announce` is called once it serves.

    Raises what a start function raised, after the end functions have been told of it.
    """
    started = False
    error: BaseException | None = None

    def on_first() -> None:
        if not started:
            raise _Stopped
        serving.shutdown()

    with TerminationSignals(on_first):
        try:
            serving.start()
            started = True
            announce()
            _wait_interruptibly(serving)
        except _Stopped:
            pass
        except BaseException as failure:
            error = failure
            raise
        finally:
            serving.finish(error)


class TerminationSignals:
    """While entered, SIGINT and SIGTERM call `on_first`; a second one ends the process at once, with 128 + its number.

    Does nothing outside of the main thread, where Python lets nobody handle signals. Restores what was there before.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self._came = False
        self._before: list[tuple[signal.Signals, Any]] = []

    def __enter__(self) -> TerminationSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = [(number, signal.signal(number, self._handle)) for number in _NUMBERS]
            in_children(self._forget, frozenset(_NUMBERS))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        before, self._before = self._before, []
        for number, handler in before:
            # None stands for a handler that was not set from Python and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _forget(self) -> None:
        # In a forked child, which is not to wake its parent for its own signals either.
        if self._before:
            signal.set_wakeup_fd(-1)
            self._restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            os._exit(128 + number)
        self._came = True
        self._on_first()


def _wait_interruptibly(serving: Serving) -> None:
    """Waits for the end of a server in such a way that Python's signal handlers run meanwhile.

    Handlers run in the main thread, between two of its instructions: it has to be woken for them. The interpreter
    writes a byte to a socket for each signal, and so does a thread that waits for the server.
    """
    if threading.current_thread() is not threading.main_thread():
        serving.wait()
        return
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        ended = threading.Event()

        def watch() -> None:
            serving.wait()
            ended.set()
            # A full socket wakes as well.
            with contextlib.suppress(BlockingIOError):
                writer.send(b"\0")

        watcher = threading.Thread(target=watch, name="slime-watch", daemon=True)
        try:
            watcher.start()
            while not ended.is_set():
                reader.recv(64)
        finally:
            signal.set_wakeup_fd(before)
            if ended.is_set():
                watcher.join()
