"""Reports of failures, each once, by a transport of the user's.

app = Slime(__file__, plugins=[ErrorTracking(lambda event: queue.put(event), release="1.2")])
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from slimeweb import HttpError, SlimeRequest, hookimpl

__all__ = ["ErrorTracking"]

logger = logging.getLogger(__name__)

SENSITIVE = ("auth", "cookie", "csrf", "key", "pass", "secret", "session", "token")
"""Fields with one of these in their names are sent without their values."""

WAITING = 1000
"""Events that may wait for the transport. Later ones are dropped."""

Event = dict[str, Any]


class ErrorTracking:
    """The plugin. Without a transport, as where it is only installed, it does nothing."""

    def __init__(self, transport: Callable[[Event], object] | None = None, *, release: str | None = None) -> None:
        self._transport = transport
        self._release = release
        self._events: queue.Queue[Event | None] = queue.Queue()

    @hookimpl(tryfirst=True)
    def slime_startup(self) -> None:
        """First, so that it is there when another plugin's start fails, and ends after all others."""
        self._thread = threading.Thread(target=self._send, name="error tracking")
        self._thread.start()

    @hookimpl
    def slime_exception(self, req: SlimeRequest | None, exc: BaseException, where: str) -> None:
        """Any thread, event loops among them: takes down what there is, and leaves."""
        if self._transport is None or (isinstance(exc, HttpError) and exc.status < 500):
            return
        if self._events.qsize() < WAITING:
            self._events.put(
                {
                    "time": time.time(),
                    "type": type(exc).__qualname__,
                    "message": str(exc),
                    "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in _frames(exc)],
                    "where": where,
                    "release": self._release,
                    "request": None if req is None else _describe(req),
                }
            )

    @hookimpl(trylast=True)
    def slime_shutdown(self) -> None:
        """What waits is sent before the process ends."""
        self._events.put(None)
        self._thread.join()

    def _send(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._transport(event)  # type: ignore[misc]  # Without one there are no events.
            except Exception:
                logger.exception("the transport has lost an event: %s", event["type"])


def _frames(exc: BaseException) -> traceback.StackSummary:
    return traceback.extract_tb(exc.__traceback__)


def _describe(req: SlimeRequest) -> Mapping[str, Any]:
    """What helps to find the failure. The body is left out, and secrets."""
    return {
        "id": req.id,
        "method": req.method,
        "path": req.path,
        "route": req.route,
        "query": _without_secrets(req.query),
        "headers": _without_secrets(req.header),
        "client": req.client,
    }


def _without_secrets(fields: Mapping[str, str]) -> dict[str, str]:
    return {
        name: "[removed]" if any(word in name.lower() for word in SENSITIVE) else value
        for name, value in fields.items()
    }
