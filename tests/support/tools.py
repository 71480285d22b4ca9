"""Programs that are not Python and that a machine may lack."""

from __future__ import annotations

import shutil

import pytest

__all__ = ["tool"]


def tool(name: str) -> str:
    """The path of a program. Without it the test is skipped, which in CI counts as a failure (conftest.py)."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"missing tool {name}: apt-get install {name}")
    return path
