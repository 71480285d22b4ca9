"""A log line for each request of the routes it is used on."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING

from slimeweb.middleware import SlimeMiddleware

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["ReqLog"]


class ReqLog(SlimeMiddleware):
    """Logs method, path, status, the time in the handler and the request's id, at level INFO.

    `logger` is the logger to use, `slimeweb.access` by default. `serve(access_log=True)` logs every request instead,
    with the time until the last byte was sent.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("slimeweb.access")
        # One request may pass several of these.
        self._attribute = f"_reqlog_{id(self):x}"

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        """Notes when the request came."""
        setattr(req, self._attribute, perf_counter())

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        """Logs it."""
        milliseconds = (perf_counter() - getattr(req, self._attribute)) * 1000
        path = ascii(req.path)[1:-1]
        self._logger.info(
            "%s %s %s %d %.1fms (request %s)", req.client, req.method, path, resp.status, milliseconds, req.id
        )
