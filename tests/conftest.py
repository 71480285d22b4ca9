"""The wheels of all packages, built once for all tests that install them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from support.environments import NATIVE, PURE, ROOT, find_uv, run


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of every package: native ones built here, unless SLIME_NATIVE_WHEELS holds them."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in PURE:
        run(find_uv(), "build", "--quiet", "--wheel", "--package", package, "--out-dir", folder)
    built = os.environ.get("SLIME_NATIVE_WHEELS")
    if built:
        for wheel in Path(built).glob("*.whl"):
            shutil.copy(wheel, folder)
    else:
        maturin = Path(sys.executable).with_name("maturin")
        for package in NATIVE:
            how = ("--locked", "--profile", "dev", "--strip", "-i", sys.executable)
            run(maturin, "build", *how, "-o", folder, cwd=ROOT / "packages" / package)
    # A name that stands for a file is not looked for anywhere else.
    ours = {wheel.name.partition("-")[0].replace("_", "-"): wheel.as_uri() for wheel in folder.glob("*.whl")}
    (folder / "constraints.txt").write_text("".join(f"{name} @ {uri}\n" for name, uri in ours.items()))
    return folder
