"""What answers when a handler raises or the server itself refuses a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from slimeweb._cancellation import is_own_cancellation
from slimeweb._debug_page import debug_page
from slimeweb._error_handlers import ErrorHandler, ErrorHandlers, ErrorKey
from slimeweb._foreign_loops import note_foreign_loop
from slimeweb._observers import ExceptionObservers
from slimeweb._plugin_manager import PluginManager
from slimeweb._problem import answer_problem
from slimeweb._worker_loop import STOPPING
from slimeweb.errors import ClientDisconnected, FileMissing, HttpError, IncompleteBody, answer_of, phrase

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.app import Slime
    from slimeweb.routing import RouteSpec

__all__ = ["ErrorResponder", "Unhandled"]

_logger = logging.getLogger("slimeweb")

Unhandled = Callable[["SlimeRequest", BaseException], None]
"""Is told of what the application has not answered itself, on the thread that has met it. Must not raise."""


class ErrorResponder:
    """Turns exceptions and refusals into responses. Immutable, and never raises: whatever goes wrong here ends as a
    plain 500.
    """

    __slots__ = ("_app", "_asks_plugins", "_dev", "_handlers", "_has_scopes", "_observers", "_on_unhandled", "_plugins")

    def __init__(
        self,
        app: Slime,
        handlers: ErrorHandlers,
        plugins: PluginManager,
        observers: ExceptionObservers,
        *,
        dev: bool,
        on_unhandled: Unhandled | None = None,
    ) -> None:
        self._app = app
        self._handlers = handlers
        self._plugins = plugins
        self._observers = observers
        self._has_scopes = any(each.errors for route in app.routes for each in route.includes)
        self._asks_plugins = plugins.implements("slime_handle_exception")
        self._dev = dev
        self._on_unhandled = on_unhandled

    def is_customised_for(self, route: RouteSpec) -> bool:
        """Whether the application, or a router that the route is of, handles any errors itself."""
        return bool(self._handlers) or any(each.errors for each in route.includes)

    def _handlers_for(self, req: SlimeRequest) -> ErrorHandlers:
        """The handlers of the routers that a request's route is of, the innermost first, and the application's."""
        route = self._app._route_of(req) if self._has_scopes else None
        if route is None:
            return self._handlers
        return ErrorHandlers.joined([*(each.errors for each in reversed(route.includes)), self._handlers])

    def on_error(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException, where: str = "") -> None:
        """Fills the response for what a handler or a middleware raised. `where` names another place for observers.

        In this order: plugins, unless an `@app.error` names its class or a base class; the `@app.error` of its class;
        of its status, where it is an `HttpError`; of the nearest base class; of 500; a short text. What is not an
        `HttpError` and finds no handler of its own class is logged. An `HttpError` that such a handler raises is the
        answer then; anything else that it raises is logged, and goes to the `@app.error` of 500, or of its class.
        """
        try:
            if resp.started:
                if not (isinstance(exc, ClientDisconnected) or is_own_cancellation(exc)):
                    resp._forget_after()
                    self._log("unhandled error after the response had started", req, exc)
                    self._observers.show(exc, where or "stream", req)
                # The status is out: the client learns of the error by the connection's abort.
                resp.abort()
            elif _is_stopping(exc):
                # Not an error of the handler. A `ClientDisconnected` before the start belongs to another connection.
                resp._forget_after()
                _logger.debug("%s %s ended early: %r (request %s)", req.method, _printable(req.path), exc, req.id)
                _remove_headers(resp)
                self._answer_known(req, resp, HttpError(503))
            else:
                resp._forget_after()
                exc = self._as_http_error(req, exc)
                if not isinstance(exc, IncompleteBody):
                    self._observers.show(exc, where or "handler", req)
                _remove_headers(resp)
                self._answer(req, resp, exc)
        except BaseException as failure:
            # SystemExit and the like as well: the error is this request's and must not end others.
            self._answer_failed_handler(req, resp, exc, failure)

    def on_after_error(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        """Like `on_error`, for what a middleware raised after the handler: a body that is complete stays so."""
        if resp.started:
            if is_own_cancellation(exc):
                return
            _logger.warning(
                "middleware failed in %s %s after the response had started (request %s): %s",
                req.method,
                _printable(req.path),
                req.id,
                _printable(str(exc)),
            )
            if not isinstance(exc, ClientDisconnected):
                resp._forget_after()
                self._observers.show(exc, "middleware", req)
        else:
            self.on_error(req, resp, exc, "middleware")

    def refuse(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        """Fills the body of a refusal that the server has begun: `resp.status` says which (404, 405, 400 and so on)."""
        refusal = HttpError(resp.status, req._refusal or "") if 400 <= resp.status <= 599 else HttpError(500)
        try:
            self._answer_known(req, resp, refusal)
        except BaseException as failure:
            self._answer_failed_handler(req, resp, refusal, failure)

    def refuse_file(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        """As `refuse`, for a file that a handler has answered with, and that is not sent after all."""
        # A client is told how much there is (RFC 9110, section 15.5.17).
        content_range = resp.header_all("Content-Range")
        _remove_headers(resp)
        for value in content_range:
            resp.set_header("Content-Range", value)
        self.refuse(req, resp)

    def _answer_failed_handler(
        self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException, failure: BaseException
    ) -> None:
        """Fills the response after `failure`, which the handler of `exc` raised."""
        resp._forget_after()
        if failure is not exc and failure.__context__ is None:
            # The handler was not called within an `except`: the log is to show what it was called for.
            failure.__context__ = exc
        # A page that is missing is the handler's own failure, not that of what the client asked for.
        is_answer = isinstance(failure, HttpError) and not (isinstance(failure, FileMissing) or resp.started)
        if not is_answer:
            self._log("the handler of an error failed", req, failure)
        self._show_failed_handler(req, resp, failure)
        found = self._handlers_for(req).find(exc)
        tried = None if found is None else found[1]
        try:
            if resp.started:
                # Data already written is sent before the connection is aborted.
                resp.abort()
                return
            _remove_headers(resp)
            handler, status = self._second(req, failure, is_answer=is_answer)
            if is_answer or handler is not None:
                self._call(None if handler is tried else handler, req, resp, failure, status)
                return
        except BaseException as second:
            self._log("the second handler of an error failed", req, second)
            self._show_failed_handler(req, resp, second)
        try:
            if resp.started:
                resp.abort()
                return
            _remove_headers(resp)
            _answer_text(resp, 500)
        except Exception as too_late:
            # The head is out: the server ends the response as well as it can.
            _logger.debug("request %s cannot be answered any more: %s", req.id, too_late)

    def _show_failed_handler(self, req: SlimeRequest, resp: SlimeResponse, failure: BaseException) -> None:
        if not (resp.started and isinstance(failure, ClientDisconnected)):
            self._observers.show(failure, "error handler", req)

    def _second(self, req: SlimeRequest, failure: BaseException, *, is_answer: bool) -> tuple[ErrorHandler | None, int]:
        """What answers for an error handler that raised `failure`, and with which status."""
        found = self._handlers_for(req).find(failure)
        by_class = None if found is None else found[1]
        if is_answer and isinstance(failure, HttpError):
            return by_class, failure.status
        return self._handlers_for(req).for_status(500) or by_class, 500

    def _as_http_error(self, req: SlimeRequest, exc: BaseException) -> BaseException:
        """What an exception becomes, unless there is an `@app.error` for its class."""
        found = self._handlers_for(req).find(exc)
        return (_is_general(found) and answer_of(exc)) or exc

    def _answer(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        if self._asks_plugins and not self._handlers_for(req).has_class(exc):
            _begin(resp, exc, _status_of(exc))
            answer = self._plugins.call("slime_handle_exception", app=self._app, req=req, resp=resp, exc=exc)
            if answer is not None:
                resp.accept(answer)
                return
        self._answer_known(req, resp, exc)

    def _answer_known(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        status = _status_of(exc)
        found = self._handlers_for(req).find(exc)
        if not isinstance(exc, HttpError) and _is_general(found):
            # The exception is unexpected.
            self._log("unhandled error", req, exc)
        self._call(None if found is None else found[1], req, resp, exc, status)

    def _call(
        self, handler: ErrorHandler | None, req: SlimeRequest, resp: SlimeResponse, exc: BaseException, status: int
    ) -> None:
        """Calls `handler` to fill the response, and fills it with a short text where that did not."""
        begun = _begin(resp, exc, status)
        if handler is not None:
            answer = handler(req, resp, exc)
            if answer is not None:
                resp.accept(answer)
            if answer is not None or (resp.body is not None if begun else resp.is_set):
                return
        elif self._dev and not isinstance(exc, HttpError):
            self._answer_debug_page(req, resp, exc)
            return
        answer_problem(req, resp, exc, status)

    def _answer_debug_page(self, req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        text, html = debug_page(req, exc)
        if "text/html" in req.header.get("accept", ""):
            resp.html(html)
        else:
            resp.plain(text)

    def _log(self, what: str, req: SlimeRequest, exc: BaseException) -> None:
        """Logs what the application has not answered itself."""
        note_foreign_loop(exc)
        if self._on_unhandled is not None:
            self._on_unhandled(req, exc)
        _logger.error("%s in %s %s (request %s)", what, req.method, _printable(req.path), req.id, exc_info=exc)


def _is_general(found: tuple[ErrorKey, ErrorHandler] | None) -> bool:
    """Whether no handler was found that is about the exception."""
    return found is None or found[0] in (500, Exception, BaseException)


def _status_of(exc: BaseException) -> int:
    return exc.status if isinstance(exc, HttpError) else 500


def _begin(resp: SlimeResponse, exc: BaseException, status: int) -> bool:
    """Begins the answer to `exc`, and discards the partial one of what failed: true where there was one."""
    begun = resp.is_set
    if begun:
        resp.empty(status)
    resp.set_status(status)
    if isinstance(exc, HttpError) and exc.status == status:
        for name, value in exc.headers.items():
            resp.set_header(name, value)
    return begun


def _is_stopping(exc: BaseException) -> bool:
    """Whether the server has cancelled the handler because it stops. Otherwise a `CancelledError` before the response
    has started is the handler's own, of a task that it awaited: the server cancels for a client that has left only
    what is being sent.
    """
    return isinstance(exc, asyncio.CancelledError) and STOPPING in exc.args


def _printable(path: str) -> str:
    # The path is the client's: a line break in it would forge a line of the log.
    return ascii(path)[1:-1]


# What describes the body that an error takes the place of (fields of RFC 9110, section 8, 9111, 9530 and their older
# and private kin), where it would have led to, and what the handler wanted the client or a cache to keep.
_REMOVED = frozenset(
    {
        "accept-ranges",
        "age",
        "cache-control",
        "cdn-cache-control",
        "clear-site-data",
        "content-digest",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "digest",
        "etag",
        "expires",
        "last-modified",
        "location",
        "pragma",
        "refresh",
        "repr-digest",
        "surrogate-control",
        "x-accel-expires",
        "x-accel-redirect",
        "x-sendfile",
    }
)


def _remove_headers(resp: SlimeResponse) -> None:
    """Removes what an error response does not keep of the response before it. All else stays, such as CORS headers and
    the cookies of befores that have let the request pass.
    """
    for name in resp.headers:
        if name == "set-cookie":
            resp._drop_cookies()
        elif name in _REMOVED:
            resp.remove_header(name)


def _answer_text(resp: SlimeResponse, status: int) -> None:
    resp.plain(phrase(status), status=status)
