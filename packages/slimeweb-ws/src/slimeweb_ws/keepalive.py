"""Timeouts of one connection: pings for a silent client, and a close for an idle one."""

from __future__ import annotations

import asyncio
import math

from slimeweb_ws._native import Connection
from slimeweb_ws.options import WebSocketOptions

__all__ = ["KeepAlive"]

_SOONEST = 0.001
"""Seconds: the shortest delay a timer is set for."""


class KeepAlive:
    """Pings a client that has sent nothing for `ping_interval`, aborts the connection where nothing comes within
    `ping_timeout`, and closes one without messages for `idle_timeout`: one timer for all.

    Made and stopped in the loop's thread. Any received byte counts, not the pong alone. While reading is paused because
    callbacks are behind, no time is counted.
    """

    __slots__ = ("_connection", "_loop", "_options", "_overdue", "_pinged", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Connection, options: WebSocketOptions) -> None:
        self._loop = loop
        self._connection = connection
        self._options = options
        self._pinged: float | None = None
        self._overdue = False
        self._timer: asyncio.TimerHandle | None = None
        self._set(min(options.ping_interval or math.inf, options.idle_timeout or math.inf))

    def stop(self) -> None:
        """Ends it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, delay: float) -> None:
        self._timer = self._loop.call_later(max(delay, _SOONEST), self._tick) if delay < math.inf else None

    def _tick(self) -> None:
        connection = self._connection
        if connection.is_closed:
            return
        self._set(min(self._seconds_to_idle_timeout(), self._seconds_to_ping()))

    def _seconds_to_idle_timeout(self) -> float:
        """Seconds until it is worth looking again."""
        limit = self._options.idle_timeout
        if limit is None:
            return math.inf
        idleness = 0.0 if self._connection.is_held else self._connection.seconds_since_message()
        if idleness >= limit:
            self._connection.close(1001, "idle")
            return math.inf
        return limit - idleness

    def _seconds_to_ping(self) -> float:
        interval, timeout = self._options.ping_interval, self._options.ping_timeout
        if interval is None:
            return math.inf
        connection = self._connection
        silence = 0.0 if connection.is_held else connection.seconds_since_data()
        now = self._loop.time()
        if self._pinged is not None and silence < now - self._pinged:
            self._pinged = None
        if self._pinged is None:
            if silence < interval:
                return interval - silence
            connection.ping()
            self._pinged, self._overdue = now, False
            return math.inf if timeout is None else timeout
        if timeout is None:
            return interval
        left = timeout - (now - self._pinged)
        if left > 0:
            return left
        if not self._overdue:
            # The loop may have been late: what arrived meanwhile is looked at before this timer comes again.
            self._overdue = True
            return _SOONEST
        connection.abort()
        return math.inf
