"""What docs/plugins.md says is public, compared with the modules that there are."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import slimeweb

PAGE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
ROW = re.compile(r"^\| `(slimeweb(?:\.\w+)*)` \| (.+) \|$", re.MULTILINE)
LISTED = dict(ROW.findall(PAGE.read_text("utf-8")))


def public_modules() -> Iterator[str]:
    """Every module whose name and whose packages' names have no underscore in front."""
    yield "slimeweb"
    for found in pkgutil.walk_packages(slimeweb.__path__, "slimeweb."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield found.name


def test_the_modules_without_an_underscore_are_those_that_the_page_lists() -> None:
    assert sorted(public_modules()) == sorted(LISTED)


@pytest.mark.parametrize("module", sorted(LISTED))
def test_a_public_module_says_what_is_in_it(module: str) -> None:
    names = vars(importlib.import_module(module))
    assert "__all__" in names
    assert set(names["__all__"]) <= set(names)


@pytest.mark.parametrize("module", sorted(set(LISTED) - {"slimeweb.plugin"}))
def test_the_names_that_the_page_gives_are_there(module: str) -> None:
    exported = importlib.import_module(module).__all__
    # What is spoken of with a dot, or with brackets, is somewhere else.
    for name in re.findall(r"`([A-Za-z_]\w*)`", LISTED[module].partition(":")[0]):
        assert name in exported, f"{module} has no {name}"
