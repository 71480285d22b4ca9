"""Distributions made up for a test, and installed as far as Python can tell."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest

__all__ = ["Install"]


class Install:
    """Installs distributions where nothing else is seen, each with a module: `install("toy", {"slimeweb": {"toy":
    "toy_module"}}, "source of toy_module")`. Gives the directory.
    """

    def __init__(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        site.mkdir()
        self.site = site
        self._monkeypatch = monkeypatch
        real = ",".join(point.name for point in entry_points(group="slimeweb"))
        monkeypatch.setenv("SLIME_DISABLE_PLUGINS", real)
        monkeypatch.syspath_prepend(site)

    def __call__(
        self,
        name: str,
        groups: Mapping[str, Mapping[str, str]],
        source: str = "",
        version: str = "1.2",
        requires: Iterable[str] = (),
    ) -> Path:
        info = self.site / f"{name}-{version}.dist-info"
        info.mkdir()
        metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requires)]
        (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(metadata) + "\n")
        lines = []
        for group, points in groups.items():
            lines += [f"[{group}]", *(f"{point} = {target}" for point, target in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        module = f"{name}_module"
        (self.site / f"{module}.py").write_text(source)
        self._monkeypatch.delitem(sys.modules, module, raising=False)
        return self.site

    def plugin(self, name: str, source: str, *, requires: Iterable[str] = (), target: str = "") -> Path:
        """Installs a plugin called `name`, of a distribution `toy` and that name, version 1.2."""
        points = {name: f"toy{name}_module{target}"}
        return self(f"toy{name}", {"slimeweb": points}, source, requires=requires)
