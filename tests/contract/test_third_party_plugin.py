"""The plugin that is not slimeweb's own: the guide quotes it as it is, and it imports only what is public."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "examples" / "third-party-plugin"
SOURCES = sorted((PLUGIN / "src").rglob("*.py"))
TESTS = sorted((PLUGIN / "tests").glob("*.py"))
GUIDE = (ROOT / "docs" / "plugins.md").read_text("utf-8").partition("\n## A plugin from start to end\n")[2]
# Blocks marked `python` are examples in their own right, which test_docs.py runs.
QUOTES = re.findall(r"^```(?:py|toml)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: quote.partition("\n")[0])
def test_what_the_guide_quotes_is_there(quote: str) -> None:
    assert any(quote in path.read_text("utf-8") for path in (*SOURCES, *TESTS, PLUGIN / "pyproject.toml"))


def test_the_guide_quotes_every_hook() -> None:
    hooks = re.findall(r"def (slime_\w+)", (PLUGIN / "src" / "slimeweb_prometheus" / "plugin.py").read_text("utf-8"))
    assert hooks
    assert [hook for hook in hooks if not any(f"def {hook}(" in quote for quote in QUOTES)] == []


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=lambda path: path.name)
def test_it_imports_only_what_is_public(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "slimeweb":
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            assert not any(name.startswith("_") for name in names), f"{path.name}:{node.lineno}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not re.match(r"slimeweb\..*\b_", alias.name), f"{path.name}:{node.lineno}"


def test_it_is_outside_of_the_workspace_and_needs_only_the_core() -> None:
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["workspace"]
    assert not any(PLUGIN in ROOT.glob(member) for member in workspace["members"])
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text("utf-8"))["project"]
    needs = [re.split(r"[<>=!~ \[;]", requirement)[0] for requirement in project["dependencies"]]
    assert needs == ["slimeweb-core", "prometheus-client"]
