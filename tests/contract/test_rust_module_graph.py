"""The modules of every Rust crate use each other one way: no cycles.

What counts as a use of one module by another:

- every `use` line, and every other path in code that leads through `crate::`, `super::`, `self::`, a child module or an
  imported module;
- a re-export (`pub use`, `pub(crate) use`) stands for the module that defines the name: whoever uses the name uses that
  module, and the module that re-exports it uses it only if its own code says the name again. So a `mod.rs` or `lib.rs`
  of declarations and re-exports alone uses nothing;
- a child that uses what its parent defines uses the parent, and a parent whose code uses a child uses that child: with
  both, that is a cycle;
- the inline modules of a file are part of that file's module.

What does not count: comments and doc comments, `mod` declarations, whatever stands under `#[cfg(test)]`, methods and
trait implementations that are reached through a value, and what macros make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.graph import Graph, cycle, way

ROOT = Path(__file__).resolve().parents[2]
CRATES = {folder.parent.name: folder for folder in sorted((ROOT / "rust").glob("*/src"))}

# Folders of a crate whose files may use each other both ways. Whoever adds one says it here.
KNOTS = {"slimeweb-core": ("request", "response")}

Module = tuple[str, ...]

NOISE = re.compile(
    r"""
    //[^\n]*
    | /\*.*?\*/
    | \b[bc]?r(?P<fence>\#*)".*?"(?P=fence)
    | (?:\b[bc])?"(?:\\.|[^"\\])*"
    | (?:\bb)?'(?:\\(?:x..|u\{[^}]*\}|.)|[^\\'\n])'
    """,
    re.DOTALL | re.VERBOSE,
)
TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|::|#!?\[|\S")
CLOSING = {"{": "}", "(": ")", "[": "]", "#[": "]", "#![": "]"}


@dataclass
class Scope:
    """One module, a file's or an inline one: what its names stand for, and the paths in its code."""

    file: Module
    imports: dict[str, tuple[str, ...]] = field(default_factory=dict)
    re_exports: dict[str, tuple[str, ...]] = field(default_factory=dict)
    globs: list[tuple[str, ...]] = field(default_factory=list)
    paths: list[tuple[str, ...]] = field(default_factory=list)


def tokens(text: str) -> list[str]:
    """The tokens of Rust code, without comments and what is in literals."""
    return TOKEN.findall(NOISE.sub(lambda found: " " if found[0].startswith("/") else ' "" ', text))


def end_of_group(code: list[str], start: int) -> int:
    """The index after the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(code)):
        depth += (code[index] in CLOSING) - (code[index] in CLOSING.values())
        if depth == 0:
            return index + 1
    return len(code)


def without_tests(code: list[str]) -> list[str]:
    """Code without the items that stand under `#[cfg(test)]`."""
    kept: list[str] = []
    index = 0
    while index < len(code):
        if code[index : index + 6] != ["#[", "cfg", "(", "test", ")", "]"]:
            kept.append(code[index])
            index += 1
            continue
        index += 6
        while code[index] == "#[":
            index = end_of_group(code, index)
        while code[index] not in {";", "{"}:
            index = end_of_group(code, index) if code[index] in CLOSING else index + 1
        index = end_of_group(code, index) if code[index] == "{" else index + 1
    return kept


def leaves(tree: list[str], before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The paths of a `use` tree, and the name that each gets; `*` for a glob."""
    path = before
    index = 0
    while index < len(tree):
        token = tree[index]
        if token == "{":
            inside = tree[index + 1 : end_of_group(tree, index) - 1]
            start = depth = 0
            for at, inner in enumerate([*inside, ","]):
                depth += (inner == "{") - (inner == "}")
                if inner == "," and depth == 0:
                    yield from leaves(inside[start:at], path)
                    start = at + 1
            return
        if token == "as":
            yield path, tree[index + 1]
            return
        if token == "*":
            yield path, "*"
            return
        if token != "::" and not (token == "self" and path):
            path = (*path, token)
        index += 1
    if tree:
        yield path, path[-1]


def read(code: list[str], module: Module, scopes: dict[Module, Scope]) -> None:
    """Puts a file's scopes, its inline modules among them, into `scopes`."""
    scopes[module] = Scope(module)
    open_modules = [(module, 0)]
    depth = index = 0
    while index < len(code):
        token, (inner, _) = code[index], open_modules[-1]
        scope = scopes[inner]
        if token == "mod" and code[index + 2] == "{":
            open_modules.append(((*inner, code[index + 1]), depth))
            scopes.setdefault((*inner, code[index + 1]), Scope(module))
            depth += 1
            index += 3
        elif token == "mod" and code[index + 2] == ";":
            index += 3
        elif token == "use":
            end = code.index(";", index)
            public = index > 0 and (code[index - 1] == "pub" or code[index - 4 : index - 2] == ["pub", "("])
            for path, name in leaves(code[index + 1 : end]):
                if name == "*":
                    scope.globs.append(path)
                else:
                    (scope.re_exports if public else scope.imports)[name] = path
            index = end + 1
        elif token in {"{", "}"}:
            depth += 1 if token == "{" else -1
            if len(open_modules) > 1 and depth == open_modules[-1][1]:
                open_modules.pop()
            index += 1
        elif token.isidentifier() and (index == 0 or code[index - 1] not in {"::", "."}):
            start = index
            while code[index + 1 : index + 2] == ["::"] and code[index + 2].isidentifier():
                index += 2
            scope.paths.append(tuple(code[start : index + 1 : 2]))
            index += 1
        else:
            index += 1


def resolve(scopes: dict[Module, Scope], start: Module, path: tuple[str, ...]) -> tuple[Module, bool] | None:
    """The module that defines what a path names, and whether that is the module itself; `None` outside of the crate."""
    module, rest, anchored = start, list(path), False
    for _ in range(100):
        if not rest:
            return module, True
        name = rest.pop(0)
        if name in {"crate", "self", "super"}:
            module, anchored = {"crate": (), "self": module, "super": module[:-1]}[name], True
            continue
        scope = scopes[module]
        target = scope.re_exports.get(name) or scope.imports.get(name)
        if (*module, name) in scopes:
            module, anchored = (*module, name), True
        elif target and target[0] != name:
            # As if the whole path stood where the name comes from.
            rest, anchored = [*target, *rest], False
        elif target or not anchored:
            # Another crate's, or a name of the module's own: no use of another module.
            return None
        else:
            return module, False
    raise AssertionError(f"{'::'.join(path)} in {'::'.join(start)} leads in a circle")


def graph_of(files: dict[Module, str]) -> Graph:
    """Which modules each module of a crate uses. `files` has their texts; the crate's root is the module `()`."""
    scopes: dict[Module, Scope] = {}
    for module, text in files.items():
        read(without_tests(tokens(text)), module, scopes)

    def name(module: Module) -> str:
        return "::".join(module) or "crate"

    graph: dict[str, set[str]] = {name(module): set() for module in files}
    for module, scope in scopes.items():
        used = [*scope.imports.values(), *scope.globs, *scope.paths]
        for path in used:
            found = resolve(scopes, module, path)
            # A module that is imported is used by the paths through it.
            if found is not None and (not found[1] or path in scope.globs):
                target = scopes[found[0]].file
                if target != scope.file:
                    graph[name(scope.file)].add(name(target))
    return graph


def sources(crate: str) -> dict[Module, str]:
    """The files of a crate by their modules, without those that are for tests alone."""
    folder = CRATES[crate]
    for_tests = set()
    found = {}
    for path in sorted(folder.rglob("*.rs")):
        parts = path.relative_to(folder).with_suffix("").parts
        module = parts[:-1] if parts[-1] in {"mod", "lib", "main"} else parts
        found[module] = path.read_text("utf-8")
        for child in re.findall(r"#\[cfg\(test\)\]\s*mod (\w+);", found[module]):
            for_tests.add((*module, child))
    return {module: text for module, text in found.items() if module not in for_tests}


def cycle_beyond(graph: Graph, knots: Sequence[str]) -> list[str] | None:
    """A shortest cycle that is not within one of the folders `knots` alone."""

    def knot(module: str) -> str | None:
        return next((folder for folder in knots if module.split("::")[0] == folder), None)

    found = [
        [module, *back]
        for module, used in graph.items()
        for target in sorted(used)
        if knot(module) is None or knot(module) != knot(target)
        if (back := way(graph, target, module))
    ]
    return min(found, key=len, default=None)


def test_uses_are_found_and_resolved_to_where_a_name_is_defined() -> None:
    files = {
        (): "mod a; mod b; pub mod c; pub use a::Thing; #[cfg(test)] mod tests { use super::b; }",
        ("a",): "/// [`crate::b`]\npub struct Thing; fn f<'a>(x: &'a str) -> char { '\"' } // crate::b::f",
        ("b",): 'use crate::{Thing, c::{self, d::*}}; const T: &str = "crate::a::T"; fn f() { c::deep() }',
        ("c",): "pub(crate) mod d; mod e; pub(crate) use e::deep; mod inner { use super::super::Thing; }",
        ("c", "d"): "use super::e::{deep as shallow}; #[cfg(test)] mod tests { use crate::b::f; }",
        ("c", "e"): "use std::fmt; pub fn deep() {}",
    }
    assert graph_of(files) == {
        "crate": set(),
        "a": set(),
        "b": {"a", "c::d", "c::e"},
        "c": {"a"},
        "c::d": {"c::e"},
        "c::e": set(),
    }


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {("a",): "use super::b::B; pub struct A;", ("b",): "use crate::a::A; pub struct B;"}, id="siblings"
        ),
        pytest.param({("a",): "use crate::B;", ("b",): "pub struct B; fn f() { crate::a::g() }"}, id="re-export, path"),
        pytest.param(
            {("a",): "mod b; use b::g; struct A;", ("a", "b"): "use super::A; fn g() {}"}, id="parent and child"
        ),
        pytest.param(
            {("a",): "mod b; pub use b::B; struct A(B);", ("a", "b"): "use super::*;"}, id="re-exported and used"
        ),
    ],
)
def test_a_cycle_is_found(files: dict[Module, str]) -> None:
    assert cycle(graph_of({(): "mod a; mod b; pub use b::B;", **files}))


def test_a_cycle_within_a_known_knot_is_let_pass_but_not_one_that_leaves_it() -> None:
    graph = {"knot": {"knot::a", "other"}, "knot::a": {"knot"}, "other": set[str]()}
    assert cycle_beyond(graph, ()) == ["knot", "knot::a", "knot"]
    assert cycle_beyond(graph, ["knot"]) is None
    assert cycle_beyond({**graph, "other": {"knot::a"}}, ["knot"]) == ["knot", "other", "knot::a", "knot"]


@pytest.mark.parametrize("crate", CRATES)
def test_modules_form_no_cycle(crate: str) -> None:
    graph = graph_of(sources(crate))
    assert any(graph.values())
    found = cycle_beyond(graph, KNOTS.get(crate, ()))
    assert found is None, " uses ".join(found or ())
