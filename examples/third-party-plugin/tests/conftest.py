"""An application with the plugin, found where any installed plugin is."""

from __future__ import annotations

import pytest

from slimeweb import Slime


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)
