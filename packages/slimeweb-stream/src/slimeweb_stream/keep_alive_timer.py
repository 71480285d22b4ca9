"""Keep-alive comments of event streams: one timer thread per application, while there are streams that need it."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

__all__ = ["Timer", "KeepAliveTimer"]


class Timer:
    """One stream's timer: due when nothing has been sent for `seconds`."""

    def __init__(self, act: Callable[[], bool], seconds: float) -> None:
        self._act = act
        self.seconds = seconds
        self._last = time.monotonic()
        self._cancelled = False

    def put_off(self) -> None:
        """Starts the interval anew, since something was sent."""
        self._last = time.monotonic()

    def cancel(self) -> None:
        """Ends the timer; it does not fire again."""
        self._cancelled = True

    @property
    def due(self) -> float:
        """When it fires next, in seconds of the monotonic clock."""
        return self._last + self.seconds

    def act(self) -> bool:
        """Fires if it is due. False when it will not fire again."""
        if self._cancelled:
            return False
        if self.due <= time.monotonic():
            self.put_off()
            return self._act()
        return True


class KeepAliveTimer:
    """Fires the timers of the streams that have sent nothing for too long, on a thread of its own."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def add(self, act: Callable[[], bool], seconds: float) -> Timer:
        """Calls `act` whenever nothing has been sent for `seconds`, until it returns False or the timer is
        cancelled.
        """
        timer = Timer(act, seconds)
        with self._condition:
            self._stopped = False
            heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="slime-keep-alive", daemon=True)
                self._thread.start()
            self._condition.notify()
        return timer

    def stop(self) -> None:
        """Drops every timer and ends the thread."""
        with self._condition:
            self._stopped = True
            self._timers.clear()
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._timers and self._timers[0][0] > time.monotonic():
                    self._condition.wait(self._timers[0][0] - time.monotonic())
                if self._stopped or not self._timers:
                    # The next stream starts another thread.
                    self._thread = None
                    return
                _, _, timer = heapq.heappop(self._timers)
            if timer.act():
                with self._condition:
                    heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
