"""Who watches an application: plugins are shown its failures (`slime_exception`) and the ends of its answers
(`slime_response_sent`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from slimeweb._logging import log_access
from slimeweb._plugin_manager import PluginManager

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest

__all__ = ["ExceptionObservers", "SentResponse", "sent_observer"]

_logger = logging.getLogger("slimeweb")

_SHOWN_FOR = "__slime_shown_for__"
"""In an exception's own dictionary: the id of the last request that it was shown for, empty for none."""


class ExceptionObservers:
    """Immutable; false where there are none."""

    __slots__ = ("_app", "_observers")

    def __init__(self, app: object, plugins: PluginManager) -> None:
        self._app = app
        self._observers = plugins.observers("slime_exception", ("app", "req", "exc", "where"))

    def __bool__(self) -> bool:
        return bool(self._observers)

    def show(self, exc: BaseException, where: str, req: SlimeRequest | None = None) -> None:
        """Shows an exception to each, unless that has been done for this request. Raises nothing."""
        if not self._observers or not _is_first(exc, req):
            return
        for observe in self._observers:
            observe((self._app, req, exc, where))


def _is_first(exc: BaseException, req: SlimeRequest | None) -> bool:
    """Whether the exception has not been shown yet: for a request, or at all where it is of none. One object may be
    raised for many requests.
    """
    # Not `setattr`: a class may have made its instances immutable.
    known = vars(exc)
    shown_for, name = known.get(_SHOWN_FOR), "" if req is None else req.id
    known[_SHOWN_FOR] = name
    return shown_for is None or (req is not None and shown_for != name)


SentResponse = tuple[str | None, str, str, int, int, float, str | None, str, str]
"""The arguments of `slime_response_sent`, but for `app`, in their order."""

_SENT = ("app", "route", "method", "path", "status", "sent", "seconds", "error", "client", "request_id")


def sent_observer(
    app: object, plugins: PluginManager, *, access_log: bool
) -> Callable[[Sequence[SentResponse], int], None] | None:
    """What is to be called with answers that have ended, and how many more there were no room for; `None` where nobody
    wants to know.
    """
    observers = plugins.observers("slime_response_sent", _SENT)
    if not observers and not access_log:
        return None

    def observe(responses: Sequence[SentResponse], dropped: int) -> None:
        if dropped:
            _logger.warning(
                "%d answers are missing in the access log and were not told to slime_response_sent: what is done for "
                "each takes too long",
                dropped,
            )
        for response in responses:
            if access_log:
                _, method, path, status, sent, seconds, error, client, _ = response
                # Of a connection that has switched protocols only the new one knows whether it was cut short.
                log_access(client, method, path, status, sent, seconds, error is not None and status != 101)
            values = (app, *response)
            for each in observers:
                each(values)

    return observe
