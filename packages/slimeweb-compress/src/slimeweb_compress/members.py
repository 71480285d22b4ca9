"""What slimeweb-compress adds, for type checkers."""

from __future__ import annotations

from typing import TypedDict

from slimeweb_compress.compression import SlimeCompression

__all__ = ["RouteOptions"]


class RouteOptions(TypedDict, total=False):
    """Keyword arguments of `route()`."""

    compression: SlimeCompression
    comp_level: int
    comp_threshold: int
