"""The sdists of all packages: each holds what its wheel is built from."""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from support.environments import NATIVE, PURE, ROOT, find_uv, run

# The first test may have to wait for a whole build of the native wheels.
pytestmark = pytest.mark.timeout(900)

VERSION = "0.3.0"


def unpack(archive: Path, folder: Path) -> Path:
    """The folder of sources in an sdist."""
    with tarfile.open(archive) as sources:
        sources.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


def sdist_of(package: str, folder: Path) -> Path:
    """The sdist of a package, made in `folder`."""
    if package in NATIVE:
        run(Path(sys.executable).with_name("maturin"), "sdist", "-o", folder, cwd=ROOT / "packages" / package)
    else:
        run(find_uv(), "build", "--quiet", "--sdist", "--package", package, "--out-dir", folder)
    (archive,) = folder.glob("*.tar.gz")
    assert archive.name == f"{package.replace('-', '_')}-{VERSION}.tar.gz"
    return archive


def modules(wheel: Path) -> set[str]:
    """The files of a wheel, without what is compiled and what describes it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith(".so")}


@pytest.mark.parametrize("package", PURE)
def test_the_wheel_built_from_an_sdist_holds_what_the_one_from_the_checkout_does(
    package: str, wheels: Path, tmp_path: Path
) -> None:
    archive = sdist_of(package, tmp_path / "sdist")
    run(find_uv(), "build", "--quiet", "--wheel", "--out-dir", tmp_path / "wheel", archive)
    (built,) = (tmp_path / "wheel").glob("*.whl")
    assert modules(built) == modules(wheels / built.name)


@pytest.mark.parametrize("package", NATIVE)
def test_an_sdist_with_rust_in_it_holds_every_crate_it_needs_and_the_lock(package: str, tmp_path: Path) -> None:
    unpacked = unpack(sdist_of(package, tmp_path / "sdist"), tmp_path / "unpacked")
    manifest = unpacked / "rust" / package / "Cargo.toml"
    found = json.loads(
        run("cargo", "metadata", "--offline", "--format-version", "1", "--manifest-path", manifest, cwd=unpacked)
    )
    locked = {(crate["name"], crate["version"]) for crate in found["packages"]}
    for crate in (crate for crate in found["packages"] if crate["source"] is None):
        assert Path(crate["manifest_path"]).is_relative_to(unpacked)
    ours = json.loads(
        run("cargo", "metadata", "--offline", "--format-version", "1", "--manifest-path", ROOT / "rust" / "Cargo.toml")
    )
    assert locked <= {(crate["name"], crate["version"]) for crate in ours["packages"]}


@pytest.mark.slow
@pytest.mark.parametrize("package", NATIVE)
def test_an_sdist_with_rust_in_it_builds_into_the_wheel_that_the_checkout_gives(
    package: str, wheels: Path, tmp_path: Path
) -> None:
    unpacked = unpack(sdist_of(package, tmp_path / "sdist"), tmp_path / "unpacked")
    how = ("--profile", "dev", "--strip", "-i", sys.executable)
    run(Path(sys.executable).with_name("maturin"), "build", *how, "-o", tmp_path / "wheel", cwd=unpacked)
    (built,) = (tmp_path / "wheel").glob("*.whl")
    assert modules(built) == modules(wheels / built.name)
