"""mypy and pyright, on the modules beside this one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.checkers import Environment

# Type checkers read files: where they cannot be installed, another interpreter has checked the same.
pytest.importorskip("mypy")

HERE = Path(__file__).resolve().parent
PACKAGES = HERE.parents[1] / "packages"
CORE = [PACKAGES / "slimeweb-core", PACKAGES / "slimeweb-cli"]
OWN = [PACKAGES / f"slimeweb-{name}" for name in ("asgi", "ws", "stream", "compress", "docs", "templates", "typed")]
ENVIRONMENTS = {
    "everything": [*CORE, *OWN],
    "core": CORE,
    "without_ws": [*CORE, *(folder for folder in OWN if folder.name != "slimeweb-ws")],
    "third_party": [*CORE, PACKAGES / "slimeweb-ws", HERE / "greeting"],
}


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Path]:
    """An environment, and the folder of modules that are right there."""
    name: str = request.param
    environment = Environment(tmp_path_factory.mktemp(name) / "venv", *ENVIRONMENTS[name])
    if name == "third_party":
        done = environment.run("-m", "slimeweb_cli", "types")
        assert done.returncode == 0, done.stderr
    return environment, HERE / name


def test_mypy_finds_what_is_wrong_and_nothing_else(case: tuple[Environment, Path]) -> None:
    environment, files = case
    said = environment.mypy(files)
    assert said.startswith("Success: no issues found"), said


def test_pyright_finds_what_is_wrong_and_nothing_else(case: tuple[Environment, Path]) -> None:
    environment, files = case
    said = environment.pyright(files)
    assert "0 errors, 0 warnings" in said, said


def test_what_the_readmes_show_is_right_as_it_is_written(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", *CORE, *OWN)
    shown = tmp_path / "shown"
    shown.mkdir()
    # What slimeweb-asgi shows is of applications from elsewhere.
    pages = {HERE.parents[1] / "README.md", *PACKAGES.glob("*/README.md")} - {PACKAGES / "slimeweb-asgi" / "README.md"}
    for page in pages:
        blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        for number, code in enumerate(blocks):
            application = "" if "app = Slime" in code else "from slimeweb import Slime\n\napp = Slime(__file__)\n"
            (shown / f"{page.parent.name.replace('-', '_')}_{number}.py").write_text(application + code)
    assert len(list(shown.iterdir())) >= len(OWN)
    said = environment.mypy(shown, strict=False)
    assert said.startswith("Success: no issues found"), said
    said = environment.pyright(shown, strict=False)
    assert "0 errors, 0 warnings" in said, said
