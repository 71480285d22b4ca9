"""What installed distributions declare for slimeweb: their entry points."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint
from typing import Any

__all__ = ["InstalledEntryPoint", "entry_points"]


@dataclass(frozen=True, slots=True)
class InstalledEntryPoint:
    """One entry point: `name`, what it leads to (`value`), and whose it is. `requirements` are the lines of the
    distribution's `Requires-Dist`.
    """

    name: str
    value: str
    distribution: str
    version: str
    requirements: tuple[str, ...]

    def load(self) -> Any:
        """The object that it leads to, imported where it is not yet. Raises what its module raises."""
        return self._entry_point.load()

    def leads_to(self, implementation: object) -> bool:
        """Whether it leads to this object or its class. What has not been imported yet is not."""
        point = self._entry_point
        found: Any = sys.modules.get(point.module)
        for name in point.attr.split(".") if point.attr else ():
            found = getattr(found, name, None)
        return found is not None and (found is implementation or found is type(implementation))

    @property
    def _entry_point(self) -> EntryPoint:
        return EntryPoint(self.name, self.value, "")


def entry_points(group: str) -> tuple[InstalledEntryPoint, ...]:
    """The entry points of a group, sorted by name.

    They are looked for anew when `sys.path` has changed, or one of its directories, as it does when something is
    installed there.
    """
    return _entry_points(group, tuple((place, _changed(place)) for place in sys.path))


@lru_cache(maxsize=8)
def _entry_points(group: str, places: tuple[tuple[str, int], ...]) -> tuple[InstalledEntryPoint, ...]:
    found = []
    for point in importlib.metadata.entry_points(group=group):
        owner = point.dist
        name, version, requires = ("", "", None) if owner is None else (owner.name, owner.version, owner.requires)
        found.append(InstalledEntryPoint(point.name, point.value, name, version, tuple(requires or ())))
    return tuple(sorted(found, key=lambda point: (point.name, point.value, point.distribution)))


def _changed(place: str) -> int:
    """When a directory or archive was changed last, in nanoseconds."""
    try:
        return os.stat(place or ".").st_mtime_ns
    except OSError:
        return 0
