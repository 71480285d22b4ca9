"""What `MODULE` and `MODULE:NAME` mean to commands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimeweb.commands import TargetError, import_target

SOURCE = """
app = "app"


def make():
    return "made"


class holder:
    app = "held"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    before = set(sys.modules)
    (tmp_path / "target_main.py").write_text(SOURCE)
    package = tmp_path / "target_shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "main.py").write_text(f"from target_main import app as other\n{SOURCE}")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("module", ["target_main", "target_main.py", "target_shop.main"])
@pytest.mark.parametrize(
    ("name", "value"), [(":app", "app"), (":make()", "made"), (":holder.app", "held"), ("", None), (":", None)]
)
def test_a_target_is_a_file_or_a_dotted_module_and_a_name_in_it(
    folder: Path, module: str, name: str, value: str | None
) -> None:
    found, named = import_target(f"{module}{name}", folder)
    assert named == value
    assert found.make() == "made"
    assert sys.modules[found.__name__] is found


def test_a_file_imports_from_its_own_folder(folder: Path) -> None:
    (folder / "target_shop" / "target_sibling.py").write_text("text = 'sibling'")
    (folder / "target_shop" / "target_alone.py").write_text("from target_sibling import text")
    _, named = import_target("target_shop/target_alone.py:text", folder)
    assert named == "sibling"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("target_missing", "there is no target_missing.py and no module 'target_missing' in"),
        ("target_shop.missing:app", "no module 'target_shop.missing' in"),
        ("target_missing.main:app", "no module 'target_missing.main' in"),
        ("target_main.app:app", "no module 'target_main.app' in"),
        ("missing/main.py:app", "no module 'missing/main.py' in"),
        (".target_main:app", "no module '.target_main' in"),
        (":app", "no module '' in"),
        ("", "no module '' in"),
        ("target_main:nothing", "target_main.py has no 'nothing'"),
        ("target_main:app.nothing", "target_main.py has no 'app.nothing'"),
        ("target_main:nothing()", "target_main.py has no 'nothing()'"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(folder: Path, target: str, text: str) -> None:
    with pytest.raises(TargetError, match=re.escape(text)) as raised:
        import_target(target, folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "error"), [("import target_not_installed", ModuleNotFoundError), ("{}['key']", KeyError)]
)
@pytest.mark.parametrize("module", ["target_failing", "target_failing.py", "target_shop.failing"])
def test_what_a_module_raises_is_its_own(folder: Path, module: str, source: str, error: type[Exception]) -> None:
    (folder / "target_failing.py").write_text(source)
    (folder / "target_shop" / "failing.py").write_text(source)
    with pytest.raises(error):
        import_target(f"{module}:app", folder)
