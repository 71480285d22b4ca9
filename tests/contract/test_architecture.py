"""docs/architecture.md names what is there: each `name` in it, and each in its picture, is found in the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text("utf-8")
PICTURE = re.findall(r"^```text\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
PROSE = re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE)
# Names of other projects, which are not defined here.
OTHERS = {"asyncio"}


def sources() -> str:
    patterns = ("rust/*/src/**/*.rs", "rust/*/Cargo.toml", "packages/*/src/**/*.py", "packages/*/src/**/*.pyi")
    return "\n".join(path.read_text("utf-8") for pattern in patterns for path in ROOT.glob(pattern))


SOURCES = sources()


def names() -> list[str]:
    """Each word of the code spans, and the names of types in the picture."""
    spans = [part for span in re.findall(r"`([^`]+)`", PROSE) for part in re.findall(r"[A-Za-z_][\w-]*", span)]
    drawn = re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", "".join(PICTURE))
    return sorted({*spans, *drawn} - OTHERS)


def is_defined(name: str) -> bool:
    quoted = re.escape(name)
    rust = rf"\b(?:struct|enum|trait|type|fn|mod|const)\s+{quoted}\b"
    python = rf"^\s*(?:class|def|async def)\s+{quoted}\b|^\s*{quoted}\s*[:=]"
    package = rf'^name = "{quoted}"$'
    argument = rf"\b{quoted}: "
    return any(re.search(each, SOURCES, re.MULTILINE) for each in (rust, python, package, argument))


@pytest.mark.parametrize("name", names())
def test_what_the_page_names_is_in_the_tree(name: str) -> None:
    package = (ROOT / "packages" / "slimeweb-core" / "src" / name).is_dir()
    assert package or is_defined(name), f"{PAGE.name} names {name!r}, which is not defined anywhere"


def test_the_page_has_one_picture_and_one_page_of_text() -> None:
    assert len(PICTURE) == 1
    assert len(TEXT.splitlines()) < 100
