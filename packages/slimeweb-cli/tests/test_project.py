"""What `slime new`, `slime add` and `slime remove` refuse. What they do with a real uv is in tests/packaging."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slimeweb_cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_uv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))


@pytest.mark.parametrize("name", ["", "-shop", "shop/", "../shop", "shop ", "schön", "shop."])
def test_a_name_that_is_none_is_refused(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--", name]) == 2
    assert f"{name!r} is no name for a project" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_is_there_is_left_alone(is_folder: bool, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = folder / "shop" / "mine" if is_folder else folder / "shop"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    assert main(["new", "shop"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert mine.read_text() == "mine"


@pytest.mark.usefixtures("no_uv")
def test_without_uv_nothing_is_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "shop"]) == 1
    assert "pip install uv" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["add", "remove"])
def test_a_library_needs_a_project(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "six"]) == 1
    assert f"no project in {folder}" in capsys.readouterr().err
