"""What the plugin adds, for type checkers."""

from typing import TypedDict

from prometheus_client import CollectorRegistry

__all__ = ["AppMembers", "ServeOptions"]


class AppMembers:
    """Attributes of applications."""

    metrics: CollectorRegistry


class ServeOptions(TypedDict, total=False):
    """Keyword arguments of `serve()`."""

    metrics_path: str
