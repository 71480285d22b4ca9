"""Each package passes its own tests with only core and itself installed, and what its tests need."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        reason="not all that the tests need is there for free-threaded interpreters; the suite itself runs them",
    ),
]

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("slimeweb-stream", "slimeweb-templates")
"""These stand for all where there is little time."""
PACKAGES = sorted(folder.name for folder in (ROOT / "packages").iterdir() if (folder / "pyproject.toml").is_file())


class Environment(Protocol):
    folder: Path

    def run(self, program: str, *arguments: str) -> str: ...
    def python(self, code: str) -> str: ...
    def distributions(self) -> set[str]: ...


@pytest.mark.parametrize(
    "package", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in PACKAGES]
)
def test_a_package_alone(install: Callable[..., Environment], package: str) -> None:
    environment = install(f"{package}[test]")
    assert {name for name in environment.distributions() if name.startswith("slimeweb")} == {"slimeweb-core", package}
    where = environment.python("import slimeweb; print(slimeweb.__file__)")
    assert where.startswith(str(environment.folder)), "the tests are of what was installed"
    tests = ROOT / "packages" / package / "tests"
    passed = environment.run("python", "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", str(tests))
    assert re.search(r"^\d+ passed", passed, re.MULTILINE), passed
