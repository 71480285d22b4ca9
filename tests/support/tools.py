"""Programs that are not Python and that a machine may lack."""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["tool"]


def tool(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails in CI, where nothing may go untested."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        message = f"this test needs {name}: apt-get install {name}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
