"""The hook implementations of slimeweb-compress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slimeweb import RouteOption, hookimpl
from slimeweb_compress.compression import check_level
from slimeweb_compress.options import as_compression, as_level, as_threshold
from slimeweb_compress.selection import filter_for

if TYPE_CHECKING:
    from slimeweb import RouteSpec, Slime
    from slimeweb_compress.body_filter import CompressionFilter


@hookimpl
def slime_route_options() -> Sequence[RouteOption]:
    """`None` (the default) leaves the choice to `Compress`; `NoCompression` turns compression off."""
    return [
        RouteOption("compression", default=None, validate=as_compression),
        RouteOption("comp_level", default=None, validate=as_level),
        RouteOption("comp_threshold", default=None, validate=as_threshold),
    ]


@hookimpl
def slime_route_added(app: Slime, route: RouteSpec) -> None:
    """Only here are a route's compression and its level known together."""
    compression, level = route.options["compression"], route.options["comp_level"]
    if compression is not None and level is not None:
        check_level(compression, level)


@hookimpl
def slime_body_filter(app: Slime, route: RouteSpec) -> CompressionFilter | None:
    """A route without compression gets no filter."""
    return filter_for(app, route)
