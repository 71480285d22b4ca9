"""All open connections of an application."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slimeweb import Slime
from slimeweb.stopping import StopCallbacks

__all__ = ["Connections"]


class Connections:
    """Has every open connection closed when the server stops, and counts them."""

    __slots__ = ("_changed", "_count", "_stop_callbacks")

    def __init__(self) -> None:
        self._stop_callbacks = StopCallbacks()
        self._changed = threading.Condition()
        self._count = 0

    def opened(self, go_away: Callable[[], object]) -> None:
        """A connection has opened; `go_away` closes it."""
        with self._changed:
            self._count += 1
        self._stop_callbacks.add(go_away)

    def ended(self, go_away: Callable[[], object]) -> None:
        """The last callback of a connection that had opened has returned."""
        self._stop_callbacks.discard(go_away)
        with self._changed:
            self._count -= 1
            if self._count == 0:
                self._changed.notify_all()

    def started(self) -> None:
        """The application starts, for the first time or again."""
        self._stop_callbacks.start()

    def stop(self, app: Slime) -> None:
        """Closes every connection, and every one that still opens."""
        self._stop_callbacks.stop(app)

    def wait(self, timeout: float) -> bool:
        """Waits at most `timeout` seconds until the last callbacks of all connections have returned: true when they
        have.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, timeout)
