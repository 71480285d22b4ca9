"""What `slime run NAME` stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimeweb_cli.errors import CommandError
from slimeweb_cli.target import Target


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("main", ("main.py",)),
        ("main.py", ("main.py",)),
        ("app/main.py", ("app/main.py",)),
        ("app/main", ("app/main.py",)),
        ("app.main", ("-m", "app.main")),
        ("package", ("-m", "package")),
        ("My_Shop", ("main.py",)),
        ("my-shop", ("main.py",)),
    ],
)
def test_names(tmp_path: Path, name: str, expected: tuple[str, ...]) -> None:
    write(tmp_path / "pyproject.toml", '[project]\nname = "my.shop"\n')
    for file in ("main.py", "app/main.py", "package/__main__.py"):
        write(tmp_path / file)
    assert Target.find(name, tmp_path).arguments == expected


def test_a_folder_is_a_project_by_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "Shop" / "main.py")
    assert Target.find("shop", tmp_path / "Shop").arguments == ("main.py",)


@pytest.mark.parametrize("name", ["missing", "missing.py", "a.b", "a/b", ".", "..", ""])
def test_a_name_for_nothing_says_where_it_looked(tmp_path: Path, name: str) -> None:
    write(tmp_path / "main.py")
    with pytest.raises(CommandError, match="slime run main") as caught:
        Target.find(name, tmp_path)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["shop", "shop/", "./shop"])
def test_a_folder_is_told_to_be_gone_into(tmp_path: Path, name: str) -> None:
    write(tmp_path / "shop" / "main.py")
    with pytest.raises(CommandError, match=f"{name} is a folder, which holds a main.py: cd {name} && slime run main"):
        Target.find(name, tmp_path)


def test_a_broken_pyproject_is_no_obstacle(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[project\nname=")
    write(tmp_path / "main.py")
    assert Target.find("main", tmp_path).arguments == ("main.py",)
    with pytest.raises(CommandError):
        Target.find("other", tmp_path)
