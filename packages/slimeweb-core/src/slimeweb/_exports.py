"""Public names that plugins add to the package: `from slimeweb import …` for an object that lives in a plugin.

A distribution claims a name by an entry point of the group `slimeweb.exports`: the name, and the object it stands for.
"""

from __future__ import annotations

import sys

from slimeweb._entry_points import InstalledEntryPoint, entry_points
from slimeweb._known_plugins import hint
from slimeweb.errors import PluginError

__all__ = ["GROUP", "exported_names", "missing_export", "resolve_export"]

GROUP = "slimeweb.exports"
"""The group of the entry points that claim a public name for a distribution."""


def resolve_export(name: str) -> object:
    """The object that an installed distribution exports as `name`.

    `LookupError` when none does, `PluginError` when two do or when it cannot be imported.
    """
    claims = {_owner(point): point for point in entry_points(GROUP) if point.name == name}
    if not claims:
        raise LookupError(name)
    if len(claims) > 1:
        raise PluginError(
            f"slimeweb.{name} is claimed by {' and by '.join(sorted(claims))}: uninstall all but one of them"
        )
    ((owner, point),) = claims.items()
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise PluginError(f"slimeweb.{name} from {owner} ({point.value}) cannot be imported: {error}") from error


def exported_names() -> list[str]:
    """Every name that installed distributions export, sorted."""
    return sorted({point.name for point in entry_points(GROUP)})


def missing_export(name: str) -> ImportError | AttributeError:
    """The error for a name that no installed distribution exports.

    `from slimeweb import name` would replace the text of an `AttributeError` by one that says nothing about extras,
    and one class cannot be both kinds of error, so the kind depends on who asks: the import system, or
    `slimeweb.name`, `hasattr` and `getattr`, which expect an `AttributeError`.
    """
    advice = hint("exports", name)
    if advice is None:
        return AttributeError(f"module 'slimeweb' has no attribute {name!r}", name=name)
    asked_by = sys._getframe(2).f_globals.get("__name__")
    if asked_by == "importlib._bootstrap":
        return ImportError(f"cannot import {advice}", name="slimeweb")
    return AttributeError(f"module 'slimeweb' has no attribute {name!r} yet: {advice}", name=name)


def _owner(point: InstalledEntryPoint) -> str:
    return point.distribution or point.value
