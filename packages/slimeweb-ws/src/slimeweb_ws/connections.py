"""All open connections of an application."""

from __future__ import annotations

import threading

from slimeweb_ws import _native

__all__ = ["Connections"]

_GOING_AWAY = 1001


class Connections:
    """Knows every open connection, to end them all when the server stops."""

    __slots__ = ("_changed", "_count", "_open", "_stopping")

    def __init__(self) -> None:
        self._open = _native.Room()
        self._changed = threading.Condition()
        self._count = 0
        self._stopping = False

    def opened(self, connection: _native.Connection) -> None:
        """A connection has opened."""
        with self._changed:
            self._count += 1
        self._open.join(connection)
        # Looked at after joining: whoever stops sets this first, then closes those that have joined.
        if self._stopping:
            connection.close(_GOING_AWAY)

    def ended(self) -> None:
        """The last callback of a connection that had opened has returned."""
        with self._changed:
            self._count -= 1
            if self._count == 0:
                self._changed.notify_all()

    def started(self) -> None:
        """The application starts, for the first time or again."""
        self._stopping = False

    def stop(self) -> None:
        """Closes every connection, and every one that still opens, with 1001."""
        self._stopping = True
        self._open.close_all(_GOING_AWAY)

    def wait(self, timeout: float) -> bool:
        """Waits at most `timeout` seconds until the last callbacks of all connections have returned: true when they
        have.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, timeout)
