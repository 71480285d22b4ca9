"""`pip install 'slimeweb[all]'` from the wheels is all that the tour needs, pydantic aside."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

import pytest

from support.process import TOUR, ServerProcess
from support.tour import FEATURES

pytestmark = pytest.mark.timeout(900)


class Environment(Protocol):
    interpreter: Path

    def add(self, *requirements: str) -> None: ...


def test_the_tour_runs_from_the_wheels(everything: Environment, tmp_path: Path) -> None:
    everything.add("pydantic")
    # Away from the checkout, so that nothing of it is found by accident.
    tour = Path(shutil.copytree(TOUR.parent, tmp_path / "tour")) / TOUR.name
    with ServerProcess(tour, python=everything.interpreter, cwd=tmp_path, env={"SLIME_DEV": "1"}) as server:
        server.wait_until_serving()
        assert server.ask("/").text == "Hello World from slime"
        for feature in FEATURES:
            feature(server)
        assert server.stop() == 0, server.output
