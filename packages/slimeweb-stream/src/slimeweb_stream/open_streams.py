"""The event streams of an application that are open: they have no end of their own, and get one from the server's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

__all__ = ["OpenStreams"]

_logger = logging.getLogger("slimeweb")


class _Stream(Protocol):
    def stop(self) -> None: ...


class OpenStreams:
    """Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: set[_Stream] = set()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether the server has begun to stop."""
        return self._stopping

    def started(self) -> None:
        """The application starts, perhaps after it has been stopped."""
        with self._lock:
            self._stopping = False

    def add(self, stream: _Stream) -> None:
        """A stream has begun. Ended at once where the server is stopping."""
        with self._lock:
            self._streams.add(stream)
            stopping = self._stopping
        if stopping:
            stream.stop()

    def discard(self, stream: _Stream) -> None:
        """A stream's handler is at its end."""
        with self._lock:
            self._streams.discard(stream)

    def stop(self, report: Callable[[BaseException, str], None]) -> None:
        """Ends every open stream, and those to come. What one raises is logged and reported."""
        with self._lock:
            self._stopping = True
            streams = list(self._streams)
        for stream in streams:
            try:
                stream.stop()
            except Exception as error:
                _logger.exception("an event stream could not be ended")
                report(error, "stream")
