"""What plugins add to the tour."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.process import TOUR, ServerProcess
from support.tour import FEATURES


@pytest.fixture(scope="module")
def dev_tour() -> Iterator[ServerProcess]:
    with ServerProcess(TOUR, env={"SLIME_DEV": "1"}) as server:
        yield server.wait_until_serving()


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.__name__)
def test_a_feature_of_a_plugin(dev_tour: ServerProcess, feature: Callable[[ServerProcess], None]) -> None:
    feature(dev_tour)


def test_production_shows_no_documentation(tour: ServerProcess) -> None:
    assert tour.ask("/docs").status == 404
    assert tour.ask("/openapi.json").status == 404
