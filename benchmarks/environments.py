"""Where the servers' interpreters and binaries are, and how they are made.

Rivals live in an environment of their own outside the checkout, with pinned versions. slimeweb is built in the release
profile for the newest free-threaded interpreter at hand, into another.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BuildFailed", "Environments", "build"]

ROOT = Path(__file__).parent.parent
REQUIREMENTS = Path(__file__).parent / "requirements-rivals.txt"
FINDER = ROOT.parent / "shared" / "tools" / "free-threaded-python"
RIVALS_VERSION = "3.11"
# Packages that the workloads use, in the order of their dependencies.
PACKAGES = ("slimeweb-core", "slimeweb-stream", "slimeweb-templates", "slimeweb-ws", "slimeweb-asgi")
TOOLS = ("maturin>=1.10,<2", "jinja2", "pluggy", "websockets>=15,<17")
# Variables of an environment that happens to be active here.
LEAKING = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHON_GIL")
# pyo3 0.28 is the last that builds on 3.13t; the checkout's lock holds a newer one.
OLD_PYO3 = "0.28.3"


_FACTS = """
import sys, sysconfig
print("%d.%d" % sys.version_info[:2], sysconfig.get_config_var("Py_GIL_DISABLED") or 0)
"""


class BuildFailed(Exception):
    """Something that the benchmark needs could not be built or found."""


@dataclass(frozen=True, slots=True)
class Environments:
    """The interpreters of the environments that were asked for, and the folder of the native programs."""

    interpreters: Mapping[str, Path]
    natives: Path

    def native(self, name: str) -> Path:
        return self.natives / name

    def python(self, environment: str) -> Path:
        """The interpreter of "slimeweb", "slimeweb-gil" or "rivals"."""
        return self.interpreters[environment]


@dataclass(frozen=True, slots=True)
class _Builder:
    cache: Path
    target: Path
    uv: str
    fresh: bool

    def natives(self) -> Path:
        crates = ("-p", "bare-hyper", "-p", "websocket-load")
        self._run("cargo", "build", "--locked", "--release", *_manifest(ROOT), *crates)
        return self.target / "release"

    def rivals(self) -> Path:
        interpreter = os.environ.get("RIVALS_PYTHON") or _find_python(RIVALS_VERSION)
        python = self._venv(f"rivals-{_facts(interpreter)[0]}", interpreter)
        self._run(self.uv, "pip", "sync", "--quiet", "--python", str(python), str(REQUIREMENTS))
        return python

    def slimeweb(self) -> Path:
        return self._slimeweb(_free_threaded(), "psycopg")

    def slimeweb_with_gil(self) -> Path:
        interpreter = os.environ.get("RIVALS_PYTHON") or _find_python(RIVALS_VERSION)
        return self._slimeweb(interpreter, "asyncpg")

    def _slimeweb(self, interpreter: str, driver: str) -> Path:
        version, free_threaded = _facts(interpreter)
        python = self._venv(f"slimeweb-{version}{'t' if free_threaded else ''}-{_checkout()}", interpreter)
        self._run(self.uv, "pip", "install", "--quiet", "--python", str(python), *TOOLS, driver)
        if not self.fresh:
            return python
        source = self._with_old_pyo3() if (version, free_threaded) == ("3.13", True) else ROOT
        native = [package for package in PACKAGES if _is_native(package)]
        pure = (ROOT / "packages" / package for package in PACKAGES if package not in native)
        with tempfile.TemporaryDirectory() as wheels:
            for package in native:
                self._wheel(python, source / "packages" / package, wheels)
            options = ("--quiet", "--no-sources", "--no-deps", "--reinstall", "--python", str(python))
            self._run(self.uv, "pip", "install", *options, *map(str, Path(wheels).glob("*.whl")), *map(str, pure))
        return python

    def _wheel(self, python: Path, package: Path, wheels: str) -> None:
        maturin = python.with_name("maturin")
        with self._one_at_a_time():
            self._run(
                str(maturin), "build", "--quiet", "--locked", "--release", "--strip", "-i", str(python), "-o", wheels,
                cwd=package,
            )  # fmt: skip

    def _with_old_pyo3(self) -> Path:
        copy = self.cache / "bench" / f"pyo3-{OLD_PYO3}-{_checkout()}"
        shutil.rmtree(copy, ignore_errors=True)
        skip = shutil.ignore_patterns("*.so", "target", "__pycache__", ".*_cache")
        for folder in ("rust", *(f"packages/{package}" for package in PACKAGES)):
            shutil.copytree(ROOT / folder, copy / folder, ignore=skip)
        self._run("cargo", "update", "--quiet", *_manifest(copy), "-p", "pyo3", "--precise", OLD_PYO3)
        return copy

    def _venv(self, name: str, interpreter: str) -> Path:
        folder = self.cache / "bench" / name
        python = folder / "bin" / "python"
        if not python.exists() or _facts(str(python)) != _facts(interpreter):
            self._run(self.uv, "venv", "--quiet", "--clear", "--python", interpreter, str(folder))
        return python

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        # maturin copies what cargo left under a fixed name: two versions of one extension must not take turns there.
        self.target.mkdir(parents=True, exist_ok=True)
        with (self.target / ".slimeweb-lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _run(self, *command: str, cwd: Path = ROOT) -> None:
        if not self.fresh:
            return
        env = {name: value for name, value in os.environ.items() if name not in LEAKING}
        env["CARGO_TARGET_DIR"] = str(self.target)
        print("$", *command, file=sys.stderr, flush=True)
        try:
            subprocess.run(command, check=True, env=env, cwd=cwd, stdout=sys.stderr)
        except FileNotFoundError as error:
            raise BuildFailed(f"{command[0]!r} is not installed: {error}") from error
        except subprocess.CalledProcessError as error:
            raise BuildFailed(f"`{' '.join(command)}` ended with code {error.returncode}") from error


def build(cache: Path, uv: str, environments: Iterable[str], *, fresh: bool = True) -> Environments:
    """Makes the native programs and the named environments, or brings them up to date unless `fresh` is False.

    `cache` is a folder outside the checkout, `uv` the program of that name. BuildFailed names the command that failed.
    """
    builder = _Builder(cache, Path(os.environ.get("CARGO_TARGET_DIR") or cache / "target"), uv, fresh)
    recipes = {
        "slimeweb": builder.slimeweb,
        "slimeweb-gil": builder.slimeweb_with_gil,
        "rivals": builder.rivals,
    }
    natives = builder.natives()
    return Environments({name: recipes[name]() for name in dict.fromkeys(environments)}, natives)


def _manifest(root: Path) -> tuple[str, str]:
    return "--manifest-path", str(root / "rust" / "Cargo.toml")


def _is_native(package: str) -> bool:
    project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text("utf-8"))
    return bool(project["build-system"]["build-backend"] == "maturin")


def _checkout() -> str:
    """Tells the checkouts of one machine apart."""
    return f"{zlib.crc32(str(ROOT).encode()):08x}"


def _free_threaded() -> str:
    named = os.environ.get("SLIME_FT_PYTHON")
    if named:
        return named
    if FINDER.exists():
        return _output(str(FINDER))
    for name in ("python3.15t", "python3.14t"):
        if found := shutil.which(name):
            return found
    return str(ROOT / ".venv" / "bin" / "python")


def _find_python(version: str) -> str:
    """An interpreter of that version, by name; a name may be a stand-in that fails, so each is asked."""
    for candidate in (f"python{version}", "python3", sys.executable):
        found = shutil.which(candidate)
        if found is None:
            continue
        try:
            facts = _facts(found)
        except BuildFailed:
            continue
        if facts[0] == version:
            return found
    raise BuildFailed(f"no CPython {version} for the rivals: install it, or name one: RIVALS_PYTHON=/path/to/python")


def _facts(interpreter: str) -> tuple[str, bool]:
    """An interpreter's version, such as "3.13", and whether it is a free-threaded build."""
    version, free_threaded = _output(interpreter, "-c", _FACTS).split()
    return version, free_threaded == "1"


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildFailed(f"`{' '.join(command)}` failed: {error}") from error
