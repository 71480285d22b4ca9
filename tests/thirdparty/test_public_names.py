"""What the plugins here may use of slimeweb."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = sorted(HERE.glob("*/src/**/*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_plugin_imports_only_what_is_public(path: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    for node in imports:
        module = node.module or ""
        if module.split(".")[0] == "slimeweb":
            names = [*module.split("."), *(alias.name for alias in node.names)]
            assert not any(name.startswith("_") for name in names), f"{path}:{node.lineno}"
        else:
            assert not re.match(r"slimeweb_(ws|stream|compress|docs|templates|cli|asgi)\b", module), (
                f"{path}:{node.lineno}"
            )
