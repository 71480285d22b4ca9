"""Which extra brings which name: what core knows of the plugins of this project.

It exists for error messages (`_extras` for type checkers). Nothing here is needed for a plugin to work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

__all__ = ["KNOWN_PLUGINS", "Extra", "hint"]


@dataclass(frozen=True, slots=True)
class Extra:
    """What one extra of the distribution `slimeweb` brings, and from which distribution."""

    name: str
    distribution: str
    exports: tuple[str, ...] = ()
    app_members: tuple[str, ...] = ()
    route_options: tuple[str, ...] = ()
    serve_options: tuple[str, ...] = ()
    request_members: tuple[str, ...] = ()
    response_members: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()


KNOWN_PLUGINS: tuple[Extra, ...] = (
    Extra("ws", "slimeweb-ws", app_members=("websocket", "room"), route_options=("ws",)),
    Extra("stream", "slimeweb-stream", exports=("Event",), app_members=("stream",), route_options=("stream",)),
    Extra(
        "compress",
        "slimeweb-compress",
        exports=("SlimeCompression", "Compress"),
        route_options=("compression", "comp_level", "comp_threshold"),
    ),
    Extra(
        "docs",
        "slimeweb-docs",
        exports=("SlimeSchema", "BodySchema", "QuerySchema", "SlimeResponseType"),
        app_members=("docs",),
        serve_options=("docs",),
        commands=("openapi",),
    ),
    Extra("templates", "slimeweb-templates", app_members=("templates",), request_members=("render",)),
    Extra("asgi", "slimeweb-asgi", app_members=("mount",), commands=("serve",)),
    Extra(
        "typed",
        "slimeweb-typed",
        exports=("ApiKey", "Bearer", "Body", "Cookie", "Depends", "File", "Form", "Header", "Query"),
        handlers=("typed",),
    ),
)


def hint(kind: str, name: str, left_out: Collection[str] = (), *, shown: str = "") -> str | None:
    """What to type to get `name`, where an extra brings it; else `None`. `shown` is what to call it.

    `kind` is the field of `Extra` to look in: `exports`, `app_members`, `route_options` and so on. `left_out` has the
    names of plugins that are installed, and that the application does without.
    """
    shown = shown or repr(name)
    for extra in _bringing(kind, name):
        if extra.name in left_out:
            return f"{shown} comes with the plugin {extra.name!r}, which this application leaves out: Slime(without=…)"
        return f"{shown} comes with {extra.distribution}: pip install 'slimeweb[{extra.name}]'"
    return None


def _bringing(kind: str, name: str) -> Iterator[Extra]:
    return (extra for extra in KNOWN_PLUGINS if name in getattr(extra, kind))
