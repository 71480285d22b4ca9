"""Which changes restart an application."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slimeweb_cli.watch import Tree


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path in ("main.py", "shop/cart.py", "templates/home.html"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("one", "utf-8")
    return tmp_path


def test_nothing_changed(project: Path) -> None:
    tree = Tree(project)
    assert tree.changed() == []


@pytest.mark.parametrize("path", ["main.py", "shop/cart.py", "templates/home.html"])
def test_an_edit_is_seen_once(project: Path, path: str) -> None:
    tree = Tree(project)
    (project / path).write_text("three", "utf-8")
    assert tree.changed() == [project / path]
    assert tree.changed() == []


def test_new_and_removed_files_are_seen(project: Path) -> None:
    tree = Tree(project)
    (project / "new.py").touch()
    (project / "main.py").unlink()
    assert tree.changed() == [project / "main.py", project / "new.py"]


def test_an_atomic_rename_of_the_same_size_and_time_is_seen(project: Path) -> None:
    tree = Tree(project)
    before = (project / "main.py").stat()
    fresh = project / ".main.py.tmp"
    fresh.write_text("two", "utf-8")
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.replace(project / "main.py")
    assert tree.changed() == [project / "main.py"]


@pytest.mark.parametrize(
    "path",
    ["__pycache__/main.py", "logs/app.py", "app.log", ".git/x.py", "data.sqlite", ".mypy_cache/x.toml", "upload.bin"],
)
def test_caches_logs_and_data_are_ignored(project: Path, path: str) -> None:
    tree = Tree(project)
    (project / path).parent.mkdir(exist_ok=True)
    (project / path).touch()
    assert tree.changed() == []


@pytest.mark.parametrize("name", [".venv", "venv", "my-environment"])
def test_a_virtual_environment_is_ignored_under_any_name(project: Path, name: str) -> None:
    tree = Tree(project)
    (project / name / "lib").mkdir(parents=True)
    (project / name / "pyvenv.cfg").touch()
    (project / name / "lib" / "module.py").touch()
    assert tree.changed() == []


def test_a_link_to_nothing_is_no_error(project: Path) -> None:
    (project / "dangling.py").symlink_to(project / "nowhere")
    tree = Tree(project)
    (project / "main.py").write_text("three", "utf-8")
    assert tree.changed() == [project / "main.py"]


@pytest.mark.parametrize("path", ["build/step.py", "env/settings.py", "a.json", "templates/home.jinja2"])
def test_sources_under_any_name_are_seen(project: Path, path: str) -> None:
    tree = Tree(project)
    (project / path).parent.mkdir(exist_ok=True)
    (project / path).touch()
    assert tree.changed() == [project / path]


def test_linked_folders_are_seen_and_circles_end(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    shared = tmp_path_factory.mktemp("shared")
    (project / "shared").symlink_to(shared)
    (shared / "back").symlink_to(project)
    tree = Tree(project)
    (shared / "module.py").touch()
    assert tree.changed() == [project / "shared" / "module.py"]
