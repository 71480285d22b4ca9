"""The WebSockets of a slimeweb application's mounts that are open."""

from __future__ import annotations

import threading
from typing import Protocol

__all__ = ["OpenSessions"]


class _Session(Protocol):
    def go_away(self) -> None: ...


class OpenSessions:
    """Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: set[_Session] = set()
        self._is_stopping = False

    def started(self) -> None:
        """The application starts, perhaps after it has been stopped."""
        with self._lock:
            self._is_stopping = False

    def add(self, session: _Session) -> None:
        """A WebSocket is open. Told at once where the server is about to stop."""
        with self._lock:
            self._sessions.add(session)
            is_stopping = self._is_stopping
        if is_stopping:
            session.go_away()

    def discard(self, session: _Session) -> None:
        """A WebSocket is closed."""
        with self._lock:
            self._sessions.discard(session)

    def stop(self) -> None:
        """Tells every session, and those to come, that the server is about to stop."""
        with self._lock:
            self._is_stopping = True
            sessions = list(self._sessions)
        for session in sessions:
            session.go_away()
