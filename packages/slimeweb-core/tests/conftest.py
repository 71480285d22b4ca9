"""Core's tests see core alone, whatever else is installed beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def no_installed_plugins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIME_DISABLE_PLUGINS", "*")
        yield
