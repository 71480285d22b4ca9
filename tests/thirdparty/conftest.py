"""Each plugin here is built into a wheel and installed: in an environment of its own, or where the tests run."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.environments import Environment, find_uv, run
from support.process import ServerProcess

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test may have to wait for a whole build of the native wheels."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="module")
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the plugin in the folder that the module's `PLUGIN` names."""
    folder = tmp_path_factory.mktemp(request.module.PLUGIN)
    run(find_uv(), "build", "--quiet", "--wheel", "--out-dir", folder, HERE / request.module.PLUGIN)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest, wheel: Path, wheels: Path) -> Environment:
    """An environment with slimeweb-core, the plugin, what it needs, and what else the module's `ALSO` names.

    `NO_FREE_THREADED` in the module says why what the plugin needs cannot be had for a free-threaded interpreter.
    """
    reason = getattr(request.module, "NO_FREE_THREADED", "")
    if reason and sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip(reason)
    environment = Environment.made(wheel.parent / "venv", wheels)
    environment.add(wheel, *getattr(request.module, "ALSO", ()))
    return environment


@pytest.fixture(scope="module")
def shared_server(
    request: pytest.FixtureRequest, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """The server of a module whose tests leave nothing behind in it, as `SHARES_SERVER` says there."""
    with served(request.module.PLUGIN, environment, tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest, environment: Environment, tmp_path: Path) -> Iterator[ServerProcess]:
    """The plugin's `example.py`, served in its environment by two workers. It has to end with exit code 0."""
    if getattr(request.module, "SHARES_SERVER", False):
        yield request.getfixturevalue("shared_server")
        return
    with served(request.module.PLUGIN, environment, tmp_path) as server:
        yield server


@contextmanager
def served(plugin: str, environment: Environment, folder: Path) -> Iterator[ServerProcess]:
    script = folder / "example.py"
    shutil.copy(HERE / plugin / "example.py", script)
    with ServerProcess(script, python=environment.interpreter, cwd=folder) as server:
        yield server.wait_until_serving()
        assert server.stop() == 0, server.output


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[None]:
    """The plugin can be found by the tests themselves, which have what it needs, beside those of slimeweb's own."""
    site = wheel.parent / "site"
    run(find_uv(), "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--target", site, wheel)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield
