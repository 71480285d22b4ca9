"""A plugin from outside of the workspace, installed beside the wheels as its users would have it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "examples" / "third-party-plugin"


class Environment(Protocol):
    def run(self, program: str, *arguments: str) -> str: ...
    def distributions(self) -> set[str]: ...
    def add(self, *requirements: str | Path) -> None: ...


def test_it_is_listed_and_passes_its_own_tests(install: Callable[..., Environment]) -> None:
    environment = install("slimeweb")
    environment.add("--group", f"{PLUGIN}/pyproject.toml:dev", PLUGIN)
    ours = {name for name in environment.distributions() if name.startswith("slimeweb")}
    assert ours == {"slimeweb", "slimeweb-core", "slimeweb-cli", "slimeweb-prometheus"}

    # The guide shows what this prints.
    guide = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    (listed,) = re.findall(r"^```text\n(slimeweb-prometheus .*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert environment.run("slime", "plugins") == listed

    passed = environment.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(PLUGIN), str(PLUGIN)
    )
    assert re.search(r"^\d+ passed", passed, re.MULTILINE), passed
