"""All open connections of an application."""

from __future__ import annotations

import threading

from slimeweb_ws import _native

__all__ = ["Connections"]

_GOING_AWAY = 1001


class Connections:
    """Knows every open connection, to end them all when the server stops."""

    __slots__ = ("_open", "_stopping")

    def __init__(self) -> None:
        self._open = _native.Room()
        self._stopping = threading.Event()

    def opened(self, connection: _native.Connection) -> None:
        """A connection has opened."""
        self._open.join(connection)
        # Looked at after joining: whoever stops first sets this, then closes those that have joined.
        if self._stopping.is_set():
            connection.close(_GOING_AWAY, "the server stops")

    def stop(self) -> None:
        """Closes every connection, and every one that still opens, with 1001."""
        self._stopping.set()
        self._open.close_all(_GOING_AWAY, "the server stops")

    def __len__(self) -> int:
        return len(self._open)
