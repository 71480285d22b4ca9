"""What has no end of its own, such as an event stream or a switched connection, and gets one from the server's stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["StopCallbacks"]

_logger = logging.getLogger("slimeweb")


class StopCallbacks:
    """The functions to call when the server is about to stop, for a plugin that has what would not end by itself. The
    plugin calls `start` in `slime_startup` and `stop` in `slime_stopping`. Usable from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: set[Callable[[], object]] = set()
        self._is_stopping = False

    @property
    def is_stopping(self) -> bool:
        """Whether the server is about to stop.

        For example:

            while not callbacks.is_stopping: ...
        """
        return self._is_stopping

    def add(self, callback: Callable[[], object]) -> None:
        """Has `callback()` called when the server is about to stop, on the thread that stops it; at once, on this one,
        where it is already.

        For example:

            callbacks.add(stream.stop)
        """
        with self._lock:
            self._callbacks.add(callback)
            is_stopping = self._is_stopping
        if is_stopping:
            callback()

    def discard(self, callback: Callable[[], object]) -> None:
        """Takes back what `add` was given, if it is there.

        For example:

            callbacks.discard(stream.stop)
        """
        with self._lock:
            self._callbacks.discard(callback)

    def start(self) -> None:
        """The application starts, perhaps after it has been stopped.

        For example:

            callbacks.start()
        """
        with self._lock:
            self._is_stopping = False

    def stop(self, app: Slime, where: str = "end") -> None:
        """Calls each function, and from here on those that are added. What one raises is logged, shown to observers as
        from `where`, and keeps no other from being called.

        For example:

            callbacks.stop(app)
        """
        with self._lock:
            self._is_stopping = True
            callbacks = list(self._callbacks)
        for callback in callbacks:
            try:
                callback()
            except Exception as error:
                _logger.exception("what was to be called at the server's stop failed")
                app.report_exception(error, where)
