"""Stubs that tell type checkers what installed plugins add, where there are others than slimeweb's own.

A distribution names a module by an entry point of the group `slimeweb.members`. What that has of the classes in `KINDS`
declares the names that its plugin adds, with their types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import slimeweb._installed
from slimeweb._entry_points import InstalledEntryPoint, entry_points
from slimeweb._exports import GROUP as EXPORTS
from slimeweb._known_plugins import KNOWN_PLUGINS
from slimeweb.errors import PluginError

__all__ = ["KINDS", "member_stubs"]

GROUP = "slimeweb.members"

KINDS = {
    "AppMembers": "",
    "DeclaringMembers": "",
    "RequestMembers": "",
    "ResponseMembers": "",
    "RouteOptions": "TypedDict",
    "ServeOptions": "TypedDict",
}
"""The classes that a plugin declares names in, and the class that each derives from."""

_HEAD = '"""Written by `slime types`: what installed plugins add, for type checkers."""\n\n'


def member_stubs() -> Mapping[Path, str | None]:
    """The stubs for the plugins of this environment: path and text, `None` for one that should not be there.

    It should not where all plugins are slimeweb's own: those bring their types with them. `PluginError` when a module
    of the group `slimeweb.members` cannot be imported.
    """
    folder = Path(slimeweb._installed.__path__[0])
    members, exports = entry_points(GROUP), entry_points(EXPORTS)
    own = {extra.distribution for extra in KNOWN_PLUGINS}
    needed = any(point.distribution not in own for point in (*members, *exports))
    return {
        folder / "members.pyi": "".join(_members(members)) if needed else None,
        folder / "exports.pyi": "".join(_exports(exports)) if needed else None,
    }


def _members(points: Iterable[InstalledEntryPoint]) -> Iterator[str]:
    yield _HEAD
    yield "from collections.abc import Callable\nfrom typing import Any, TypedDict\n\n"
    modules = {point.value: _module(point) for point in points}
    yield from (f"import {name}\n" for name in modules)
    yield "from slimeweb._core import SlimeRequest\n\n"
    handlers = [f"{name}.RouteHandler" for name, module in modules.items() if hasattr(module, "RouteHandler")]
    yield f"RouteHandler = {' | '.join(['Callable[[SlimeRequest, Any], Any]', *handlers])}\n"
    for kind, base in KINDS.items():
        bases = [f"{name}.{kind}" for name, module in modules.items() if isinstance(getattr(module, kind, None), type)]
        if not bases and base:
            bases = [base]
        arguments = [*bases, "total=False"] if base else bases
        yield f"\nclass {kind}({', '.join(arguments)}): ...\n" if arguments else f"\nclass {kind}: ...\n"


def _exports(points: Iterable[InstalledEntryPoint]) -> Iterator[str]:
    yield _HEAD
    for point in points:
        module, _, attribute = point.value.partition(":")
        if attribute == point.name:
            yield f"from {module} import {attribute} as {attribute}\n"
        else:
            yield f"import {module}\n{point.name} = {module}.{attribute}\n"


def _module(point: InstalledEntryPoint) -> object:
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{point.value} of {point.distribution} {point.version}, which declares what plugin {point.name!r} adds, "
            f"cannot be imported: {error}"
        ) from error
