"""Spans and metrics of requests, by OpenTelemetry.

    app = Slime(__file__, plugins=[OpenTelemetry(tracer_provider, meter_provider)])

Without arguments it uses the process's providers. A span lasts until the answer has ended, streams and switched
connections too. It is the current one of middleware, handlers and streams.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from slimeweb import SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl

__all__ = ["OpenTelemetry"]

OPEN = 20_000
"""Spans that may be open. Beyond that the oldest is ended: its end may have been dropped."""

METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
"""Clients can make up others, and each would be a series of metrics for good."""


class OpenTelemetry:
    """The plugin, one for each application."""

    def __init__(
        self, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer("slimeweb_opentelemetry", tracer_provider=tracer_provider)
        meter = metrics.get_meter("slimeweb_opentelemetry", meter_provider=meter_provider)
        self._durations = meter.create_histogram("http.server.request.duration", "s", "Duration of requests")
        self._open: OrderedDict[str, Span] = OrderedDict()
        self._lock = Lock()

    @hookimpl(tryfirst=True)
    def slime_app_middleware(self) -> Sequence[SlimeMiddleware]:
        """Outermost, so that a span covers other middleware too, and is the current one there and in the handler."""
        return [_Begin(self._begin)]

    @hookimpl
    def slime_exception(self, req: SlimeRequest | None, exc: BaseException, where: str) -> None:
        """The exception becomes an event of the span."""
        if req is not None and hasattr(req, "otel_span"):
            req.otel_span.record_exception(exc, {"slimeweb.where": where})

    @hookimpl
    def slime_response_sent(
        self,
        route: str | None,
        method: str,
        path: str,
        status: int,
        seconds: float,
        error: str | None,
        request_id: str,
    ) -> None:
        """The real end. What never came to middleware, such as a head that cannot be parsed, gets its span here."""
        method = method if method in METHODS else "_OTHER"
        attributes: dict[str, Any] = {"http.request.method": method, "http.response.status_code": status}
        if route is not None:
            attributes["http.route"] = route
        if error is not None or status >= 500:
            attributes["error.type"] = error or str(status)
        self._durations.record(seconds, attributes)
        with self._lock:
            span = self._open.pop(request_id, None)
        if span is None:
            start = time.time_ns() - int(seconds * 1e9)
            span = self._tracer.start_span(method, kind=SpanKind.SERVER, start_time=start)
        span.update_name(f"{method} {route}" if route is not None else method)
        span.set_attributes({**attributes, "url.path": path})
        if "error.type" in attributes:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end()

    def _begin(self, req: SlimeRequest) -> None:
        parent = propagate.extract(dict(req.header.items()))
        req.otel_span = self._tracer.start_span(req.method, context=parent, kind=SpanKind.SERVER)
        # Never detached: the context is that of the request, and ends with it.
        context.attach(trace.set_span_in_context(req.otel_span, parent))
        with self._lock:
            self._open[req.id] = req.otel_span
            oldest = self._open.popitem(last=False)[1] if len(self._open) > OPEN else None
        if oldest is not None:
            oldest.end()


class _Begin(SlimeMiddleware):
    covers_files = True

    def __init__(self, begin: Callable[[SlimeRequest], None]) -> None:
        self._begin = begin

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        self._begin(req)
