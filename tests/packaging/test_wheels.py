"""What is in the wheels, and what each choice of them installs."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

# The first test may have to wait for a whole build of the native wheel.
pytestmark = pytest.mark.timeout(900)

EXTRAS = ("ws", "stream", "compress", "docs", "templates", "asgi", "typed")
VERSION = "0.3.0"


class Environment(Protocol):
    def run(self, program: str, *arguments: str) -> str: ...
    def python(self, code: str) -> str: ...
    def distributions(self) -> set[str]: ...


Install = Callable[..., Environment]


def names(wheels: Path, distribution: str) -> list[str]:
    (wheel,) = wheels.glob(f"{distribution.replace('-', '_')}-{VERSION}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_distribution_slimeweb_holds_no_code(wheels: Path) -> None:
    assert all(name.startswith(f"slimeweb-{VERSION}.dist-info/") for name in names(wheels, "slimeweb"))


def test_the_core_holds_both_halves_and_their_types(wheels: Path) -> None:
    found = names(wheels, "slimeweb-core")
    assert {"slimeweb/__init__.py", "slimeweb/py.typed", "slimeweb/_core.pyi"} <= set(found)
    (extension,) = [name for name in found if name.endswith(".so")]
    assert extension.startswith("slimeweb/_core.")
    assert all(name.startswith(("slimeweb/", f"slimeweb_core-{VERSION}.dist-info/")) for name in found)


@pytest.mark.parametrize("name", ["cli", *EXTRAS])
def test_a_package_holds_its_import_package_and_its_types(wheels: Path, name: str) -> None:
    found = names(wheels, f"slimeweb-{name}")
    assert f"slimeweb_{name}/py.typed" in found
    # By these, type checkers know that it is installed.
    stubs = {f"slimeweb/_extras/{name}.pyi", f"slimeweb/_extras/{name}_exports.pyi"} & set(found)
    assert bool(stubs) == (name in EXTRAS)
    own = (f"slimeweb_{name}/", f"slimeweb_{name}-{VERSION}.dist-info/")
    assert all(path.startswith(own) for path in found if path not in stubs)


def test_core_alone_imports_and_names_the_extra_for_what_is_missing(install: Install) -> None:
    environment = install(f"slimeweb-core=={VERSION}")
    assert environment.distributions() == {"slimeweb-core", "pluggy"}
    loaded = environment.python("import sys, slimeweb, slimeweb._core; print(*sys.modules)").split()
    assert [module for module in loaded if module.startswith("slimeweb_")] == []
    message = environment.python(
        "try:\n    from slimeweb import SlimeCompression\nexcept ImportError as error:\n    print(error)"
    )
    assert "slimeweb[compress]" in message


def test_slimeweb_brings_the_core_and_the_command(install: Install) -> None:
    environment = install(f"slimeweb=={VERSION}")
    assert environment.distributions() == {"slimeweb", "slimeweb-core", "slimeweb-cli", "pluggy"}
    assert environment.run("slime", "version").startswith(f"slimeweb {VERSION}\n")


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_its_plugin_and_no_other(install: Install, extra: str) -> None:
    environment = install(f"slimeweb[{extra}]=={VERSION}")
    ours = {name for name in environment.distributions() if name.startswith("slimeweb")}
    assert ours == {"slimeweb", "slimeweb-core", "slimeweb-cli", f"slimeweb-{extra}"}
    environment.python("import slimeweb; slimeweb.Slime('main.py')")


def test_all_brings_every_plugin(install: Install) -> None:
    environment = install(f"slimeweb[all]=={VERSION}")
    plugins = {f"slimeweb-{extra}" for extra in EXTRAS}
    ours = {name for name in environment.distributions() if name.startswith("slimeweb")}
    assert ours == {"slimeweb", "slimeweb-core", "slimeweb-cli", *plugins}
    listed = environment.run("slime", "plugins")
    assert all(f"{plugin} {VERSION}" in listed for plugin in plugins)


@pytest.mark.parametrize("name", ["slimeweb", "slimeweb-core", *(f"slimeweb-{name}" for name in ("cli", *EXTRAS))])
def test_a_wheel_holds_the_licence_of_the_repository(wheels: Path, name: str) -> None:
    (wheel,) = wheels.glob(f"{name.replace('-', '_')}-{VERSION}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        licence = archive.read(f"{name.replace('-', '_')}-{VERSION}.dist-info/licenses/LICENSE")
    assert licence == (Path(__file__).parents[2] / "LICENSE").read_bytes()
