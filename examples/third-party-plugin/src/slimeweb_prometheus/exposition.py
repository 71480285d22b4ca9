"""The page that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from slimeweb import SlimeRequest, SlimeResponse

__all__ = ["exposition", "validate_path"]


def exposition(registry: CollectorRegistry) -> Callable[[SlimeRequest, SlimeResponse], SlimeResponse]:
    """A handler that answers with all that a registry holds, in Prometheus' text format 0.0.4."""

    def metrics(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        """What this process has counted and timed, for Prometheus."""
        return resp.bytes(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics


def validate_path(value: object) -> str:
    """The option `metrics_path`. `ValueError` for what is not the path of one page."""
    if not isinstance(value, str) or not value.startswith("/") or any(mark in value for mark in "{}?#"):
        raise ValueError("use a path that begins with a slash, without parameters, such as '/metrics'")
    return value
