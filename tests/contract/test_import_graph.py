"""The imports of every package lead one way: no cycles at run time, and few arrows back for types alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.graph import Graph, cycle, way

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    folder.name: folder
    for folder in sorted((ROOT / "packages").glob("*/src/slimeweb*"))
    if (folder / "__init__.py").is_file()
}

# Imports under TYPE_CHECKING of a module that itself needs the importing one at run time. Whoever adds one says it
# here.
BACK_FOR_TYPES = {
    "slimeweb": {
        ("slimeweb._compiler", "slimeweb.app"),
        ("slimeweb._error_handling", "slimeweb.app"),
        ("slimeweb._lifespan", "slimeweb.app"),
        ("slimeweb._main_module", "slimeweb.app"),
        ("slimeweb._middleware", "slimeweb.router"),
        ("slimeweb._members", "slimeweb.app"),
        ("slimeweb._plugin_lifespan", "slimeweb.app"),
        ("slimeweb._resource_life", "slimeweb.app"),
        ("slimeweb._resource_scope", "slimeweb.app"),
        ("slimeweb._resource_steps", "slimeweb.app"),
        ("slimeweb._response_head", "slimeweb.app"),
        ("slimeweb._route_handler", "slimeweb.app"),
        ("slimeweb._server", "slimeweb.app"),
        ("slimeweb.hookspecs", "slimeweb.app"),
        ("slimeweb.hookspecs", "slimeweb.commands"),
        ("slimeweb.router", "slimeweb.app"),
        ("slimeweb.routing", "slimeweb.middleware"),
        ("slimeweb.routing", "slimeweb.router"),
    },
}


def modules(package: str) -> dict[str, Path]:
    """The modules of a package by their names; an extension module is known by its stub."""
    folder = PACKAGES[package]
    found = {}
    for path in sorted(folder.rglob("*.py*")):
        if path.suffix not in {".py", ".pyi"}:
            continue
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def imports(body: list[ast.stmt], for_types: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import, inside of functions as well, and whether it is there for type checkers alone."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement, for_types
        elif isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            yield from imports(statement.body, True)
            yield from imports(statement.orelse, for_types)
        elif isinstance(statement, ast.If) and ast.unparse(statement.test) == "not TYPE_CHECKING":
            yield from imports(statement.body, for_types)
            yield from imports(statement.orelse, True)
        else:
            for _, value in ast.iter_fields(statement):
                if isinstance(value, list):
                    nested = [each for each in value if isinstance(each, ast.stmt)]
                    yield from imports(nested, for_types)
                    for each in value:
                        if isinstance(each, ast.ExceptHandler | ast.match_case):
                            yield from imports(each.body, for_types)


def targets(statement: ast.Import | ast.ImportFrom, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the package that an import statement loads."""
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names if alias.name in known)
        return
    assert not statement.level, f"line {statement.lineno}: imports are absolute in this repository"
    module = statement.module or ""
    for alias in statement.names:
        # A module of a package, or a name in a module.
        if f"{module}.{alias.name}" in known:
            yield f"{module}.{alias.name}"
        elif module in known:
            yield module


def graphs(package: str) -> tuple[Graph, Graph]:
    """What each module imports at run time, and what it imports for type checkers alone."""
    known = modules(package)
    at_run_time: dict[str, set[str]] = {name: set() for name in known}
    for_types: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        if path.suffix == ".pyi":
            # What a stub imports, it imports for its annotations.
            continue
        for statement, is_for_types in imports(ast.parse(path.read_text("utf-8"), str(path)).body):
            (for_types if is_for_types else at_run_time)[name].update(targets(statement, known))
    return at_run_time, for_types


def test_a_cycle_is_found_with_its_path() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set[str]()}
    assert cycle(graph) == ["a", "b", "c", "a"]
    assert cycle({**graph, "c": set()}) is None
    assert cycle({"a": {"a"}}) == ["a", "a"]


def test_imports_for_types_are_told_from_others() -> None:
    text = """
import a
if TYPE_CHECKING:
    import b
def function():
    try:
        import c
    except ImportError:
        import d
"""
    found = {statement.names[0].name: for_types for statement, for_types in imports(ast.parse(text).body)}
    assert found == {"a": False, "b": True, "c": False, "d": False}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_at_run_time_form_no_cycle(package: str) -> None:
    at_run_time, _ = graphs(package)
    assert any(at_run_time.values()) or len(at_run_time) == 1
    found = cycle(at_run_time)
    assert found is None, " imports ".join(found or ())


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_back_for_types_are_those_that_are_known(package: str) -> None:
    at_run_time, for_types = graphs(package)
    back = {
        (name, target)
        for name, found in for_types.items()
        for target in found
        if target != name and way(at_run_time, target, name) is not None
    }
    assert back == BACK_FOR_TYPES.get(package, set())
