"""What is measured about requests."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from slimeweb import SlimeMiddleware, SlimeRequest, SlimeResponse

__all__ = ["Measurement"]

METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
"""The methods of RFC 9110, section 9.3, and RFC 5789."""

OTHER = "other"
"""Stands for all other methods: a client can make up as many as it likes, and each would be a series for good."""

UNMATCHED = "unmatched"
"""Stands for all paths without a route, for the same reason. No route is called so: theirs begin with a slash."""

BUCKETS = (0.001, 0.0025, *Histogram.DEFAULT_BUCKETS)
"""Seconds. prometheus-client's own begin at 5 ms, which is where a slow handler begins here."""


class Measurement(SlimeMiddleware):
    """Counts and times requests, those of any number of threads at once.

    A request is in flight from here until its handler and all middleware inside have returned. For a stream that is
    when all of it has been handed over or the client has left; for a connection that switches to another protocol,
    when it has been switched, with the status 101.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Seconds from the first middleware to the last.",
            ("route", "method"),
            registry=registry,
            buckets=BUCKETS,
        )
        self._requests = Counter(
            "http_requests", "Requests that have been answered.", ("route", "method", "status"), registry=registry
        )
        self._in_flight = Gauge("http_requests_in_flight", "Requests that are being answered.", registry=registry)

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        req.prometheus_start = perf_counter()
        self._in_flight.inc()

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        seconds = perf_counter() - req.prometheus_start
        route = req.route or UNMATCHED
        method = req.method if req.method in METHODS else OTHER
        self._in_flight.dec()
        self._durations.labels(route, method).observe(seconds)
        self._requests.labels(route, method, resp.status).inc()
