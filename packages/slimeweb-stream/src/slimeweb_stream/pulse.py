"""The keep-alive of event streams: one thread an application, and only while there is something to keep alive."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

__all__ = ["Beat", "Pulse"]


class Beat:
    """One stream's turn: due after a silence."""

    def __init__(self, act: Callable[[], bool], seconds: float) -> None:
        self._act = act
        self.seconds = seconds
        self._last = time.monotonic()
        self._cancelled = False

    def put_off(self) -> None:
        """Something was sent just now."""
        self._last = time.monotonic()

    def cancel(self) -> None:
        """There is nothing to keep alive any more."""
        self._cancelled = True

    @property
    def due(self) -> float:
        """When it is to act next, on the monotonic clock."""
        return self._last + self.seconds

    def act(self) -> bool:
        """Acts if its time has come. False when that was the last time."""
        if self._cancelled:
            return False
        if self.due <= time.monotonic():
            self.put_off()
            return self._act()
        return True


class Pulse:
    """Calls the streams that have been silent for too long."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._beats: list[tuple[float, int, Beat]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def add(self, act: Callable[[], bool], seconds: float) -> Beat:
        """Calls `act` after `seconds` of silence, again and again until it returns False or its beat is cancelled."""
        beat = Beat(act, seconds)
        with self._condition:
            self._stopped = False
            heapq.heappush(self._beats, (beat.due, next(self._numbers), beat))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="slime-keep-alive", daemon=True)
                self._thread.start()
            self._condition.notify()
        return beat

    def stop(self) -> None:
        """Forgets every stream and ends the thread."""
        with self._condition:
            self._stopped = True
            self._beats.clear()
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._beats and self._beats[0][0] > time.monotonic():
                    self._condition.wait(self._beats[0][0] - time.monotonic())
                if self._stopped or not self._beats:
                    # The next stream starts another thread.
                    self._thread = None
                    return
                _, _, beat = heapq.heappop(self._beats)
            if beat.act():
                with self._condition:
                    heapq.heappush(self._beats, (beat.due, next(self._numbers), beat))
