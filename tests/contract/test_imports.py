"""Who may know whom: the import rules of the repository, read off its sources."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "packages" / "slimeweb-core" / "src" / "slimeweb"
PLUGINS = (
    "slimeweb_ws",
    "slimeweb_stream",
    "slimeweb_compress",
    "slimeweb_docs",
    "slimeweb_templates",
    "slimeweb_asgi",
    "slimeweb_typed",
)
# What a plugin gives a meaning to, core must not know by name. `_known_plugins` says which extra brings which name.
PLUGIN_WORDS = re.compile(
    r"web_?socket|gzip|jinja|swagger|slimeweb[-_](ws|stream|compress|docs|templates|asgi|typed)", re.IGNORECASE
)
KNOWN_PLUGINS = CORE / "_known_plugins.py"
# HTTP's own names of content codings (RFC 9110, section 8.4.1): files that lie compressed beside the original are
# chosen by theirs, and Accept-Encoding has an old name for one.
CONTENT_CODINGS = {
    ROOT / "rust" / "slimeweb-http" / "src" / "files" / "negotiation.rs",
    ROOT / "rust" / "slimeweb-http" / "src" / "header" / "accept_encoding.rs",
}


def package_sources(package: str) -> list[Path]:
    return sorted((ROOT / "packages" / package.replace("_", "-") / "src" / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each import of a module, as its line and the full dotted name of what it brings."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}"


def offences(paths: list[Path], pattern: re.Pattern[str]) -> list[str]:
    """The lines that match. A Rust file counts up to its tests, which may send what they like."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").partition("#[cfg(test)]")[0].splitlines(), 1)
        if pattern.search(line)
    ]


def test_core_names_no_plugin_but_in_its_list() -> None:
    sources = [path for path in sorted(CORE.rglob("*.py*")) if path.suffix in {".py", ".pyi"} and path != KNOWN_PLUGINS]
    assert sources
    assert offences(sources, PLUGIN_WORDS) == []


@pytest.mark.parametrize("crate", ["slimeweb-http", "slimeweb-core"])
def test_the_rust_core_names_no_plugin(crate: str) -> None:
    sources = set((ROOT / "rust" / crate / "src").rglob("*.rs")) - CONTENT_CODINGS
    assert sources
    assert offences([*sorted(sources), ROOT / "rust" / crate / "Cargo.toml"], PLUGIN_WORDS) == []


def test_core_imports_no_plugin_and_no_cli() -> None:
    # What `_known_plugins` imports, it imports for type checkers alone: tests/packaging runs a bare core.
    for path in sorted(set(CORE.rglob("*.py")) - {KNOWN_PLUGINS}):
        for line, name in imports(path):
            assert not name.startswith((*PLUGINS, "slimeweb_cli")), f"{path.relative_to(ROOT)}:{line} imports {name}"


@pytest.mark.parametrize("package", [*PLUGINS, "slimeweb_cli"])
def test_a_plugin_uses_only_what_is_public(package: str) -> None:
    sources = package_sources(package)
    assert sources
    others = tuple({*PLUGINS, "slimeweb_cli"} - {package})
    for path in sources:
        for line, name in imports(path):
            where = f"{path.relative_to(ROOT)}:{line} imports {name}"
            assert not name.startswith(others), f"{where}, which is another plugin"
            if name == "slimeweb" or name.startswith("slimeweb."):
                assert not any(part.startswith("_") for part in name.split(".")), f"{where}, which is private"


def test_the_http_crate_knows_no_python() -> None:
    crate = ROOT / "rust" / "slimeweb-http"
    manifest = tomllib.loads((crate / "Cargo.toml").read_text("utf-8"))
    assert not any("pyo3" in name or "python" in name for name in manifest.get("dependencies", {}))
    assert offences(sorted(crate.rglob("*.rs")), re.compile(r"pyo3|\bPython<|\bPy<")) == []


def test_the_bridge_is_the_only_crate_that_knows_server_and_python() -> None:
    for manifest in (ROOT / "rust").glob("*/Cargo.toml"):
        needs = set(tomllib.loads(manifest.read_text("utf-8")).get("dependencies", {}))
        knows_both = {"pyo3", "slimeweb-http"} <= needs
        assert knows_both == (manifest.parent.name == "slimeweb-core"), manifest
        if manifest.parent.name != "slimeweb-core":
            assert not needs & {"slimeweb-http", "slimeweb-core"}, f"{manifest.parent.name} reaches into the server"


def test_core_needs_pluggy_alone_at_run_time() -> None:
    project = tomllib.loads((CORE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    assert [re.split(r"[<>=!~ \[;]", requirement)[0] for requirement in project["dependencies"]] == ["pluggy"]


@pytest.mark.parametrize("package", ["slimeweb", "slimeweb_cli", *PLUGINS])
def test_every_package_is_typed(package: str) -> None:
    folder = CORE if package == "slimeweb" else package_sources(package)[0].parent
    assert (folder / "py.typed").is_file()


def test_every_package_has_the_same_version() -> None:
    manifests = [ROOT / "pyproject.toml", *sorted((ROOT / "packages").glob("*/pyproject.toml"))]
    versions = {path.parent.name: tomllib.loads(path.read_text("utf-8"))["project"]["version"] for path in manifests}
    rust = tomllib.loads((ROOT / "rust" / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]["version"]
    assert set(versions.values()) == {rust}, versions
