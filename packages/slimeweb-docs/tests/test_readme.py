"""The package's README does what it says."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_example(document_of: Callable[[Slime], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    module = types.ModuleType("readme_example")
    module.__file__ = str(README.with_name("readme_example.py"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(example, module.__file__, "exec"), vars(module))
    document = document_of(module.app)
    operation = document["paths"]["/pets"]["post"]
    assert (operation["summary"], operation["tags"]) == ("Adds a pet", ["pets"])
    assert operation["parameters"][0]["schema"] == {"type": "boolean"}
    assert set(document["components"]["schemas"]) == {"Pet"}
