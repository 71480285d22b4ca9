"""Warnings of dev mode: no routes, a handler without an answer, a missing file."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from slimeweb.errors import FileMissing
from slimeweb.handlers import Handler, describe
from slimeweb.routing import RouteSpec

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["warn_no_routes", "with_warnings"]

_logger = logging.getLogger("slimeweb")


def warn_no_routes(file: str | os.PathLike[str]) -> None:
    """Logs a warning that the application has no routes."""
    _logger.warning(
        "%s declares no routes, so every request gets a 404: declare them with @app.route(path=…) before app.serve(), "
        "and import the modules that do so",
        os.fspath(file),
    )


def with_warnings(handler: Handler, route: RouteSpec) -> Handler:
    """The handler, wrapped so that the log says when it has not answered at all, or with a file that is not there. A
    coroutine function where the handler is one.
    """

    def check(resp: SlimeResponse, before: tuple[int, int], result: Any) -> None:
        # A status or a header may be all that an answer is to have.
        if result is None and not resp.is_set and _head(resp) == before:
            _logger.warning(
                "%s %s: %s answered nothing, so the response is empty: is a return missing? (resp.empty() says that it "
                "is meant)",
                ",".join(route.methods),
                route.path,
                describe(route.handler),
            )

    def tell(missing: FileMissing) -> None:
        _logger.warning(
            "%s %s: %s answers with the file %s, which does not exist (the working directory is %s)",
            ",".join(route.methods),
            route.path,
            describe(route.handler),
            ascii(os.fspath(missing.path)),
            ascii(os.getcwd()),
        )

    def run(req: SlimeRequest, resp: SlimeResponse) -> Any:
        before = _head(resp)
        try:
            result = handler(req, resp)
        except FileMissing as missing:
            tell(missing)
            raise
        check(resp, before, result)
        return result

    async def run_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
        before = _head(resp)
        try:
            result = await handler(req, resp)
        except FileMissing as missing:
            tell(missing)
            raise
        check(resp, before, result)
        return result

    return run_async if route.is_async else run


def _head(resp: SlimeResponse) -> tuple[int, int]:
    return resp.status, sum(len(resp.header_all(name)) for name in resp.headers)
