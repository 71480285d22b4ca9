"""A plugin from outside of the workspace, installed beside the wheels as its users would have it."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "examples" / "third-party-plugin"
USE = """from typing import assert_type

from prometheus_client import CollectorRegistry
from slimeweb import Slime

app = Slime(__file__)

assert_type(app.metrics, CollectorRegistry)
app.serve(metrics_path="/internal/metrics")
"""


class Environment(Protocol):
    folder: Path
    interpreter: Path

    def run(self, program: str, *arguments: str) -> str: ...
    def distributions(self) -> set[str]: ...
    def add(self, *requirements: str | Path) -> None: ...


def test_it_is_listed_and_passes_its_own_tests(install: Callable[..., Environment]) -> None:
    environment = install("slimeweb")
    environment.add("--group", f"{PLUGIN}/pyproject.toml:dev", PLUGIN)
    ours = {name for name in environment.distributions() if name.startswith("slimeweb")}
    assert ours == {"slimeweb", "slimeweb-core", "slimeweb-cli", "slimeweb-prometheus"}

    # The guide shows what this prints.
    guide = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    (listed,) = re.findall(r"^```text\n(slimeweb-prometheus .*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert environment.run("slime", "plugins") == listed

    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        # Type checkers read files: which interpreter has them installed makes no difference, and not every one can.
        check_types(environment)

    passed = environment.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(PLUGIN), str(PLUGIN)
    )
    assert re.search(r"^\d+ passed", passed, re.MULTILINE), passed


def check_types(environment: Environment) -> None:
    """Type checkers know what the plugin adds once they have been told."""
    environment.add("mypy", "pyright[nodejs]")
    (environment.folder / "right.py").write_text(USE)
    (environment.folder / "wrong.py").write_text(USE.replace("app.metrics", "app.metric").replace("path=", "pat="))
    environment.run("slime", "types")
    for checker in (("mypy", "--strict"), ("pyright", "--pythonpath", str(environment.interpreter))):
        environment.run(*checker, "right.py")
        with pytest.raises(AssertionError) as refused:
            environment.run(*checker, "wrong.py")
        assert re.search(r"wrong\.py:8.*\bmetric\b", str(refused.value))
        assert re.search(r"wrong\.py:9.*metrics_pat\b", str(refused.value))
