"""The tour answers as its own OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.process import TOUR, ServerProcess

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def documented_tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The tour in dev mode, where it shows its document."""
    kept = tmp_path_factory.mktemp("kept")
    with ServerProcess(TOUR, env={"SLIME_DEV": "1", "TOUR_KEEP": str(kept)}) as server:
        yield server.wait_until_serving()


def put_to_the_test(server: ServerProcess, directory: Path, *options: str, timeout: float) -> None:
    """Has schemathesis call every operation of the document, with what its schemas allow and with what they do not."""
    if find_spec("schemathesis") is None:
        pytest.skip("schemathesis is not installed: pip install schemathesis")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", "--no-color"]
    command += [*options, f"{server.url}/openapi.json"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"schemathesis: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert server.ask("/ping").text == "pong"
    assert "Traceback" not in server.output


def test_the_document_holds_every_kind_of_route(documented_tour: ServerProcess) -> None:
    paths = documented_tour.ask("/openapi.json").json()["paths"]
    assert {"/menu", "/countdown/{start}", "/events", "/numbers", "/live/echo", "/students"} <= paths.keys()


@pytest.mark.timeout(180)
def test_answers_fit_the_document(documented_tour: ServerProcess, tmp_path: Path) -> None:
    few = ("--phases", "coverage,fuzzing", "--max-examples", "3", "--generation-deterministic")
    put_to_the_test(documented_tour, tmp_path, *few, timeout=170)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_more_answers_fit_the_document(documented_tour: ServerProcess, tmp_path: Path) -> None:
    put_to_the_test(documented_tour, tmp_path, "--max-examples", "200", timeout=1100)
