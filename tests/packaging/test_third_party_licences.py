"""The licences of the Rust crates in the wheels, which `make wheels` collects."""

from __future__ import annotations

import sys

import pytest

from support.environments import NATIVE, ROOT, run

NO_TEXT = {"alloc-stdlib 0.3.0"}
"""Crates whose packages hold no licence; the text of this one's is that of alloc-no-stdlib, by the same authors."""


@pytest.fixture(scope="module", params=NATIVE)
def collected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A package, and what is collected for it."""
    target = tmp_path_factory.mktemp("licences") / "THIRD-PARTY-LICENSES.txt"
    run(sys.executable, ROOT / ".ci" / "licences.py", request.param, target)
    return request.param, target.read_text()


def test_the_crates_of_a_wheel_are_listed_and_those_that_only_build_or_test_are_not(collected: tuple[str, str]) -> None:
    package, text = collected
    some = {"slimeweb-core": "hyper", "slimeweb-ws": "flate2", "slimeweb-compress": "zstd-sys"}[package]
    listed = {line.split()[0] for line in text.partition("=" * 80)[0].splitlines() if line.startswith("  ")}
    assert {some, "pyo3"} <= listed
    assert not listed & {"proptest", "rcgen", "cc", "pyo3-macros", "pyo3-build-config"}
    assert not any(name.startswith("slimeweb") for name in listed)


def test_every_crate_of_a_wheel_comes_with_its_licence(collected: tuple[str, str]) -> None:
    listed, *licences = collected[1].split("=" * 80)
    without = {line.partition(" (")[0].strip() for line in listed.splitlines() if line.endswith("holds no text of it")}
    assert without <= NO_TEXT
    holders = {name for each in licences for name in " ".join(each.partition("-" * 80)[0].split()).split(", ")}
    crates = {line.partition(" (")[0].strip() for line in listed.splitlines() if line.startswith("  ")}
    assert crates - without == holders
