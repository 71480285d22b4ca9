"""A wheel of each plugin here, installed where slimeweb looks for plugins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLUGINS = sorted(path.parent for path in HERE.glob("*/pyproject.toml"))


def run_uv(*arguments: str | Path) -> None:
    local = ROOT / ".tools" / "bin" / "uv"
    uv = os.environ.get("UV") or (str(local) if local.is_file() else shutil.which("uv"))
    assert uv, "no uv: run these tests through make, which fetches it into .tools"
    done = subprocess.run([uv, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugins' wheels unpacked, as pip leaves them."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    for plugin in PLUGINS:
        run_uv("build", "--quiet", "--wheel", "--out-dir", wheels, plugin)
    # What they need is there: it is what the tests themselves use.
    run_uv(
        "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--target", site, *wheels.glob("*.whl")
    )
    return site


@pytest.fixture(autouse=True)
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugins can be found, beside those of slimeweb's own that are installed."""
    monkeypatch.syspath_prepend(site)
