"""What happens when a handler raises, and when the server itself has to refuse a request."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from slimeweb.dev_page import dev_page
from slimeweb.error_handlers import ErrorHandlers
from slimeweb.errors import ClientDisconnected, HttpError, phrase
from slimeweb.plugins import Plugins

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.app import Slime

__all__ = ["Failures"]

_logger = logging.getLogger("slimeweb")


class Failures:
    """Turns exceptions and refusals into responses. Immutable, and never raises: whatever goes wrong here ends as a
    plain 500.
    """

    __slots__ = ("_app", "_dev", "_handlers", "_plugins")

    def __init__(self, app: Slime, handlers: ErrorHandlers, plugins: Plugins, *, dev: bool) -> None:
        self._app = app
        self._handlers = handlers
        self._plugins = plugins
        self._dev = dev

    def on_error(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        """Fills the response for what a handler or a middleware raised.

        In this order: the `@app.error` of its class or the nearest base class, plugins, `@app.error` of its status
        (an `HttpError`'s own, else 500), a short text. What is not an `HttpError` and finds no handler of its own
        class is logged.
        """
        try:
            if resp.started:
                # Cutting it is all that is left to tell the client.
                resp.abort()
                if not isinstance(exc, ClientDisconnected | asyncio.CancelledError):
                    _log("unhandled error after the response had started", req, exc)
            elif isinstance(exc, ClientDisconnected | asyncio.CancelledError):
                # Nobody is left to read an answer, and nothing went wrong on this side.
                _logger.debug("%s %s ended early: %r (request %s)", req.method, _printable(req.path), exc, req.id)
                _answer_text(resp, 503)
            else:
                self._answer(req, resp, exc)
        except Exception as failure:
            _log("the handler of an error failed", req, failure)
            try:
                _answer_text(resp, 500)
            except Exception as too_late:
                # The head is out: the server ends the response as well as it can.
                _logger.debug("request %s cannot be answered any more: %s", req.id, too_late)

    def on_after_error(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        """Like `on_error`, for what a middleware raised after the handler: a body that is complete stays so."""
        if resp.started:
            _logger.warning(
                "middleware failed in %s %s after the response had started (request %s): %s",
                req.method,
                _printable(req.path),
                req.id,
                exc,
            )
        else:
            self.on_error(req, resp, exc)

    def refuse(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        """Fills the body of a refusal that the server has begun: `resp.status` says which (404, 405, 400 and so on)."""
        refusal = HttpError(resp.status) if 400 <= resp.status <= 599 else HttpError(500)
        try:
            self._answer_known(req, resp, refusal)
        except Exception as failure:
            _log("the handler of an error failed", req, failure)
            _answer_text(resp, 500)

    def _answer(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        if self._handlers.for_exception(exc) is None:
            answer = self._plugins.call("slime_handle_exception", app=self._app, req=req, resp=resp, exc=exc)
            if answer is not None:
                resp.accept(answer)
                return
        self._answer_known(req, resp, exc)

    def _answer_known(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        status = exc.status if isinstance(exc, HttpError) else 500
        found = self._handlers.for_exception(exc)
        if not isinstance(exc, HttpError) and (found is None or found[0] in (Exception, BaseException)):
            # A handler for everything knows nothing about this error in particular: it still is a defect to be told of.
            _log("unhandled error", req, exc)
        begun = resp.is_set
        if begun:
            # Half of an answer that nobody meant to give.
            resp.empty(status)
        resp.set_status(status)
        handler = found[1] if found is not None else self._handlers.for_status(status)
        if isinstance(exc, HttpError):
            for name, value in exc.headers.items():
                resp.set_header(name, value)
        if handler is not None:
            answer = handler(req, resp, exc)
            if answer is not None:
                resp.accept(answer)
            if answer is not None or (resp.body is not None if begun else resp.is_set):
                return
        elif self._dev and not isinstance(exc, HttpError):
            self._answer_dev(req, resp, exc)
            return
        detail = exc.detail if isinstance(exc, HttpError) else ""
        resp.plain(detail or phrase(status))

    def _answer_dev(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        text, html = dev_page(req, exc)
        if "text/html" in req.header.get("accept", ""):
            resp.html(html)
        else:
            resp.plain(text)


def _log(what: str, req: SlimeRequest, exc: BaseException) -> None:
    _logger.error("%s in %s %s (request %s)", what, req.method, _printable(req.path), req.id, exc_info=exc)


def _printable(path: str) -> str:
    # The client's own words: a line break in them would forge a line of the log.
    return ascii(path)[1:-1]


def _answer_text(resp: SlimeResponse, status: int) -> None:
    resp.plain(phrase(status), status=status)
