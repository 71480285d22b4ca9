"""What plugins do to responses just before status and headers go out: one function for each route."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from slimeweb._plugin_manager import PluginManager
from slimeweb.errors import InvalidHandler, PluginError
from slimeweb.handlers import Handler, check_handler, is_coroutine_function
from slimeweb.routing import RouteSpec

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.app import Slime

__all__ = ["OnHead", "head_function"]

OnHead = Callable[["SlimeRequest", "SlimeResponse"], None]

_logger = logging.getLogger("slimeweb")


def head_function(app: Slime, plugins: PluginManager, route: RouteSpec | None) -> OnHead | None:
    """The functions of all plugins for a route's heads, or for those of what no route answers, as one; `None` where
    there are none.

    It calls every function, whatever the others do, and raises a `PluginError` for the first that failed.
    """
    functions: list[tuple[str, Handler]] = []
    for plugin, found in plugins.each("slime_response_head", object, app=app, route=route):
        try:
            check_handler(found, "it")
        except InvalidHandler as error:
            raise PluginError(f"{plugin}: slime_response_head returned {found!r}: {error}") from error
        assert callable(found)
        if is_coroutine_function(found):
            raise PluginError(
                f"{plugin}: slime_response_head returned {found!r}, which is async def: nothing can be awaited just "
                "before the head goes out; make it a plain def"
            )
        functions.append((str(plugin), found))
    if not functions:
        return None

    def on_head(req: SlimeRequest, resp: SlimeResponse) -> None:
        failure: PluginError | None = None
        try:
            for plugin, function in functions:
                try:
                    function(req, resp)
                except BaseException as error:
                    if failure is None:
                        failure = _failure(plugin, error)
                    else:
                        _report(app, _failure(plugin, error), req)
            if failure is not None:
                raise failure
        finally:
            # Its traceback has this frame: together they would stay, with the request, until the collector runs.
            del failure

    return on_head


def _failure(plugin: str, error: BaseException) -> PluginError:
    failure = PluginError(f"{plugin} failed in slime_response_head: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def _report(app: Slime, failure: PluginError, req: SlimeRequest) -> None:
    _logger.error("%s", failure, exc_info=failure)
    app.report_exception(failure, "head", req)
