"""`slime types`."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimeweb_cli import types
from slimeweb_cli.main import main


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> dict[Path, str | None]:
    """What there would be to write: what the test says."""
    wanted: dict[Path, str | None] = {}
    monkeypatch.setattr(types, "member_stubs", lambda: wanted)
    return wanted


def test_it_writes_and_removes_what_is_not_as_it_should_be(stubs: dict[Path, str | None], tmp_path: Path) -> None:
    (tmp_path / "old.pyi").write_text("old")
    stubs.update({tmp_path / "new.pyi": "new\n", tmp_path / "old.pyi": None, tmp_path / "none.pyi": None})
    assert main(["types"]) == 0
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("new.pyi", "new\n")]


def test_check_writes_nothing_and_says_whether_there_is_something_to_write(
    stubs: dict[Path, str | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs[tmp_path / "new.pyi"] = "new\n"
    assert main(["types", "--check"]) == 1
    assert "type `slime types`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main(["types"]) == 0
    assert main(["types", "--check"]) == 0


def test_a_folder_that_cannot_be_written_to_is_named(
    stubs: dict[Path, str | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs[tmp_path / "missing" / "new.pyi"] = "new\n"
    assert main(["types"]) == 1
    assert f"slime: cannot write {tmp_path}/missing/new.pyi: No such file" in capsys.readouterr().err
