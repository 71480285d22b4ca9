"""Signals that end a server."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any

from slimeweb._forking import in_children
from slimeweb._server import Serving

__all__ = ["TerminationSignals", "run_in_foreground"]

_logger = logging.getLogger("slimeweb")

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
# A shutdown that takes less than this, in seconds, is not logged.
_LOG_AFTER = 0.4


class _Stopped(KeyboardInterrupt):
    """A signal came while the start functions were running."""


def run_in_foreground(serving: Serving, describe: Callable[[], Sequence[str]]) -> None:
    """Runs a bound server until a signal, or something else, ends it. Once it serves, the lines that `describe` gives
    are logged; it is called after the start functions.

    Raises what a start function raised, or what the server was shut down with, after the end functions have been told
    of it. `SystemExit` after a second signal, with 128 + its number.
    """
    started = False
    error: BaseException | None = None

    def on_first() -> None:
        if not started:
            raise _Stopped
        serving.shutdown()

    # Before there are connections, which may take all file descriptors that there are.
    with _MainThreadWaker() as waker, TerminationSignals(on_first, serving.cut) as signals:
        try:
            serving.get_ready()
            lines = describe()
            serving.open()
            started = True
            for line in lines:
                _logger.info("%s", line)
            _wait_interruptibly(serving, waker)
            if serving.error is not None:
                raise serving.error
        except _Stopped:
            pass
        except BaseException as failure:
            error = failure
            raise
        finally:
            serving.finish(error)
    if signals.exit_code is not None:
        raise SystemExit(signals.exit_code)


class TerminationSignals:
    """While entered, the first SIGINT or SIGTERM calls `on_first`, the second `on_second`. Where that says False, and
    at each further one, the process ends at once, with 128 + the signal's number.

    Does nothing outside of the main thread, where Python lets nobody handle signals. Restores what was there before.
    """

    def __init__(self, on_first: Callable[[], None], on_second: Callable[[], bool]) -> None:
        self._on_first = on_first
        self._on_second = on_second
        self._came = 0
        self._before: list[tuple[signal.Signals, Any]] = []
        self.exit_code: int | None = None
        """128 + the number of the second signal, once it has come."""

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
        self._came += 1
        if self._came == 1:
            self._on_first()
        elif self._came == 2 and self._on_second():
            self.exit_code = 128 + number
        else:
            os._exit(128 + number)


class _MainThreadWaker:
    """Wakes the main thread, in which Python's signal handlers run, between two of its instructions. The interpreter
    writes a byte to a socket for each signal, and so does `wake`.

    Does nothing outside of the main thread.
    """

    def __enter__(self) -> _MainThreadWaker:
        self.is_active = threading.current_thread() is threading.main_thread()
        if self.is_active:
            self._reader, self._writer = socket.socketpair()
            self._writer.setblocking(False)
            self._before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_active:
            signal.set_wakeup_fd(self._before)
            self._reader.close()
            self._writer.close()

    def wait(self) -> None:
        """Waits until `wake` is called or a signal comes."""
        self._reader.recv(64)

    def wake(self) -> None:
        """From any thread."""
        # A full socket wakes as well. A closed one means that the main thread waits no more.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")


def _wait_interruptibly(serving: Serving, waker: _MainThreadWaker) -> None:
    """Waits for the end of a server in such a way that Python's signal handlers run meanwhile."""
    if not waker.is_active:
        serving.wait()
        return
    ended = threading.Event()

    def watch() -> None:
        serving.wait_for_stop()
        if not serving.wait(_LOG_AFTER):
            serving.log_pending()
        serving.wait()
        ended.set()
        waker.wake()

    watcher = threading.Thread(target=watch, name="slime-end", daemon=True)
    watcher.start()
    while not ended.is_set():
        waker.wait()
    watcher.join()
