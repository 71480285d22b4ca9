"""The door of slimeweb-prometheus: its hook implementations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from slimeweb import RouteSpec, ServeOption, Slime, SlimeMiddleware, hookimpl
from slimeweb_prometheus.exposition import exposition, validate_path
from slimeweb_prometheus.measurement import Measurement

__all__ = ["PrometheusPlugin"]


class PrometheusPlugin:
    """The plugin, one for each application: two in one process do not count each other's requests."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._measurement = Measurement(self._registry)

    @hookimpl
    def slime_app_members(self) -> Mapping[str, Any]:
        """`app.metrics`, the registry, for metrics of the application's own."""
        return {"metrics": self._registry}

    @hookimpl
    def slime_serve_options(self) -> Sequence[ServeOption]:
        """`serve(metrics_path="/metrics")`, or `SLIME_METRICS_PATH`."""
        return [ServeOption("metrics_path", default="/metrics", validate=validate_path)]

    @hookimpl
    def slime_app_middleware(self) -> Sequence[SlimeMiddleware]:
        """Measures every request that Python has a part in."""
        return [self._measurement]

    @hookimpl
    def slime_routes(self, app: Slime) -> Sequence[RouteSpec]:
        """The page that Prometheus reads."""
        # Writing out thousands of series takes milliseconds: too long for a thread that serves connections.
        return [RouteSpec.declare(app.serve_options["metrics_path"], exposition(self._registry), blocking=True)]
