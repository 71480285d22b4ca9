"""docs/reference, compared with the public modules: each name has an entry, a docstring and an example that is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.test_docs import EXAMPLES
from contract.test_imports import PLUGINS
from contract.test_public_modules import LISTED

from support import reference
from support.reference import Definition, definition

# The modules whose names the pages have: those of the core that may be imported, and the plugins' own.
MODULES = sorted({*LISTED, *PLUGINS, "slimeweb_docs.hookspecs"})
PAGES = sorted(reference.PAGES.glob("*.md"))
ENTRIES = [(page, name) for page in PAGES for name in reference.entries(page.read_text("utf-8"))]

# What is public by its name and called by slimeweb alone, or by its tools.
CALLED_BY_SLIMEWEB = {
    "AsyncStreamResponse": {"end", "stop"},
    "Plugin": {"error", "failure"},
    "PluginManager": {"each", "implementations", "items", "named", "table"},
    "RouteOption": {"read"},
    "ServeOption": {"read"},
    "Docs": {"of_include"},
    "Registration": {"can_reach", "check", "check_route", "layer"},
    "StreamResponse": {"end", "stop"},
    "TemplateMistake": {"of_failure", "of_syntax"},
    "Templates": {"reload"},
    "WebSocketOptions": {"allowed"},
}


def found(path: str) -> Definition:
    module, _, name = path.rpartition(".")
    return definition(module, name)


def place(each: Definition) -> tuple[str, str]:
    return each.module, each.name


def short(page: Path) -> str:
    return page.name


def public_names() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        for name in reference.exported(module):
            yield module, name


def test_every_public_name_has_one_entry_and_there_is_no_other_entry() -> None:
    # The classes of objects that a handler is given, and that nobody imports.
    given = {("slimeweb._core", name) for name in ("BodyChunks", "BodyWriter", "Headers", "Transport")}
    expected = {place(definition(module, name)) for module, name in public_names()} | given
    there = [place(found(name)) for _, name in ENTRIES]
    assert sorted(there) == sorted(expected)


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_the_entries_of_a_page_are_what_the_sources_say(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == reference.rewritten(text), f"{page.name} is not what the sources say: run `make reference`"


@pytest.mark.parametrize(("page", "name"), ENTRIES, ids=lambda value: value if isinstance(value, str) else short(value))
def test_a_public_name_and_what_is_public_in_it_have_docstrings(page: Path, name: str) -> None:
    each = found(name)
    assert each.doc, f"{name} has no docstring"
    if isinstance(each.node, ast.ClassDef):
        # A field may be told of in the docstring of its class.
        undocumented = [
            member.name
            for member in reference.members(each)
            if not member.doc
            and not (member.signature.startswith(f"{member.name}:") and re.search(f"`{member.name}[`(]", each.doc))
        ]
        assert not undocumented, f"{name} has members without a docstring: {', '.join(undocumented)}"


@pytest.mark.parametrize(("page", "name"), ENTRIES, ids=lambda value: value if isinstance(value, str) else short(value))
def test_a_public_name_and_what_is_public_in_it_are_in_an_example(page: Path, name: str) -> None:
    code = "\n".join(block.text for block in EXAMPLES if block.page in PAGES)
    used = {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}
    used |= {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    used |= {node.arg for node in ast.walk(ast.parse(code)) if isinstance(node, ast.keyword) and node.arg}
    used |= {
        node.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    each = found(name)
    if isinstance(each.node, ast.ClassDef):
        # An example that calls an object does not say `__call__`.
        unused = {"__call__"} | CALLED_BY_SLIMEWEB.get(each.name, set())
        # The tests of a suite are called by pytest.
        members = {member.name for member in reference.members(each) if not member.name.startswith("test_")}
        missing = members - used - unused
        assert not missing, f"no example uses {', '.join(missing)} of {name}"
    elif not name.startswith("slimeweb._core.__"):
        assert each.name in used or name.rpartition(".")[2] in used, f"no example uses {name}"


def test_headings_name_what_is_there() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        entries = {name.rpartition(".")[2]: found(name) for name in reference.entries(text)}
        for heading in re.findall(r"^### (.*)$", text, re.MULTILINE):
            owner, _, member = heading.partition(".")
            assert member in [each.name for each in reference.members(entries[owner])], heading


def examples(text: str) -> Iterator[str]:
    """The indented pieces of a docstring that follow a line of text and a blank one."""
    for piece in re.findall(r"(?:^    .*\n|^\n)+", text + "\n", re.MULTILINE):
        if piece.strip():
            lines = [line[4:] for line in piece.strip("\n").split("\n")]
            typed = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
            yield "\n".join(typed or lines)


def test_examples_in_the_stub_are_python() -> None:
    for statement, doc in reference.with_docs(reference.tree("slimeweb._core").body):
        docs = [doc]
        if isinstance(statement, ast.ClassDef):
            docs += [text for _, text in reference.with_docs(statement.body)]
        for example in (each for text in docs for each in examples(text)):
            ast.parse("async def example(req, resp):\n" + re.sub(r"^", "    ", example, flags=re.MULTILINE))


def test_every_function_and_class_of_the_stub_has_a_docstring() -> None:
    names = list[str]()
    for statement, doc in reference.with_docs(reference.tree("slimeweb._core").body):
        if isinstance(statement, reference.Function | ast.ClassDef) and not statement.name.startswith("_"):
            assert doc, statement.name
            names.append(statement.name)
        if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
            for member in reference.members(Definition("slimeweb._core", statement.name, statement, doc)):
                assert member.doc, f"{statement.name}.{member.name}"
    assert "SlimeRequest" in names
