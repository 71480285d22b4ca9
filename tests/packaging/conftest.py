"""Fresh environments with our packages in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.environments import Environment, find_uv


@pytest.fixture(scope="session")
def uv() -> str:
    """The path of uv."""
    return find_uv()


@pytest.fixture
def install(wheels: Path, tmp_path: Path) -> Callable[..., Environment]:
    """Install requirements into a fresh environment, our own from the wheels and from nowhere else."""

    def install(*requirements: str) -> Environment:
        environment = Environment.made(tmp_path / "venv", wheels)
        environment.add(*requirements)
        return environment

    return install


@pytest.fixture(scope="module")
def everything(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with all plugins, for tests that leave it as it was."""
    environment = Environment.made(tmp_path_factory.mktemp("everything") / "venv", wheels)
    environment.add("slimeweb[all]")
    return environment
