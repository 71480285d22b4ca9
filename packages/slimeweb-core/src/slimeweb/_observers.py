"""Who is shown the failures of an application: the plugins that implement `slime_exception`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimeweb._plugin_manager import PluginManager

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest

__all__ = ["ExceptionObservers"]

_SHOWN_FOR = "__slime_shown_for__"
"""In an exception's own dictionary: the id of the last request that it was shown for, empty for none."""


class ExceptionObservers:
    """Immutable; false where there are none."""

    __slots__ = ("_app", "_observers")

    def __init__(self, app: object, plugins: PluginManager) -> None:
        self._app = app
        self._observers = plugins.observers("slime_exception")

    def __bool__(self) -> bool:
        return bool(self._observers)

    def show(self, exc: BaseException, where: str, req: SlimeRequest | None = None) -> None:
        """Shows an exception to each, unless that has been done for this request. Raises nothing."""
        if not self._observers or not _is_first(exc, req):
            return
        for observe in self._observers:
            observe(app=self._app, req=req, exc=exc, where=where)


def _is_first(exc: BaseException, req: SlimeRequest | None) -> bool:
    """Whether the exception has not been shown yet: for a request, or at all where it is of none. One object may be
    raised for many requests.
    """
    # Not `setattr`: a class may have made its instances immutable.
    known = vars(exc)
    shown_for, name = known.get(_SHOWN_FOR), "" if req is None else req.id
    known[_SHOWN_FOR] = name
    return shown_for is None or (req is not None and shown_for != name)
