"""Which compression a route gets: its own options, else the `Compress` that is used for it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from slimeweb_compress.body_filter import CompressionFilter
from slimeweb_compress.middleware import Compress
from slimeweb_compress.options import CompressionOptions

if TYPE_CHECKING:
    from slimeweb import RouteSpec, Slime

__all__ = ["filter_for"]

_ANY = "*"


def filter_for(app: Slime, route: RouteSpec) -> CompressionFilter | None:
    """The filter for a route's bodies; `None` where nothing is to be compressed.

    `LevelError` when the route's level does not fit the `Compress` it is for.
    """
    compression = route.options["compression"]
    if compression is not None:
        own = _settled(route, CompressionOptions(compression))
        return None if own is None else CompressionFilter(own, MappingProxyType({}))
    methods = set(route.methods)
    if _ANY in methods:
        # What is used for some methods only names them.
        methods.update(method for each in app.registrations for method in each.methods)
    chosen = {method: _settled(route, _used_for(app, route, method)) for method in methods}
    if "GET" in chosen:
        # HEAD has the header fields that GET would have (RFC 9110, section 9.3.2).
        chosen.setdefault("HEAD", chosen["GET"])
    choices = set(chosen.values())
    if choices == {None}:
        return None
    if len(choices) == 1:
        return CompressionFilter(choices.pop(), MappingProxyType({}))
    return CompressionFilter(chosen.get(_ANY), MappingProxyType(chosen))


def _used_for(app: Slime, route: RouteSpec, method: str) -> CompressionOptions | None:
    """How the nearest `Compress` compresses: the path's, else the route's own, else that of its routers or the
    application.
    """
    registered = [
        each for each in app.registrations if isinstance(each.target, Compress) and each.is_for(route, method)
    ]
    wide = sorted((each for each in registered if not each.is_of_one_path), key=lambda each: each.scope)
    candidates = [
        *(each.target for each in wide),
        *route.middleware,
        *(each.target for each in registered if each.is_of_one_path),
    ]
    found = [each.options for each in candidates if isinstance(each, Compress)]
    return found[-1] if found else None


def _settled(route: RouteSpec, options: CompressionOptions | None) -> CompressionOptions | None:
    if options is None or not options.compression.codings:
        return None
    return options.adjusted(route.options["comp_level"], route.options["comp_threshold"])
