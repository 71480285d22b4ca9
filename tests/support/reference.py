"""The entries of docs/reference: written from the signatures and docstrings of the sources and stubs.

A page is written by hand but for the text between `<!-- entry slimeweb.state.State -->` and `<!-- end -->`. `make
reference` runs this file, which writes that text anew; tests/contract/test_reference.py fails where it is not what
would be written.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference"
ENTRY = re.compile(r"(<!-- entry ([\w.]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """Where a name is defined: its module, its own name there, the statement, and the text that documents it."""

    module: str
    name: str
    node: ast.stmt
    doc: str


@dataclass(frozen=True)
class Member:
    """A public attribute of a class."""

    name: str
    signature: str
    doc: str


@cache
def tree(module: str) -> ast.Module:
    """The source of a module, the stub of an extension module."""
    if module.endswith(("._core", "._native")):
        package, _, name = module.rpartition(".")
        paths = find_spec(package).submodule_search_locations  # type: ignore[union-attr]
        (path,) = (found for each in paths or () if (found := Path(each) / f"{name}.pyi").exists())
    else:
        path = Path(find_spec(module).origin)  # type: ignore[union-attr, arg-type]
    return ast.parse(path.read_text("utf-8"), str(path))


def names(statement: ast.stmt) -> list[str]:
    """What a statement defines."""
    if isinstance(statement, Function | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def with_docs(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Statements with their docstrings; that of an attribute is the text below it."""
    for statement, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, Function | ast.ClassDef):
            yield statement, ast.get_docstring(statement) or ""
        elif (
            isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
        ):
            yield statement, inspect.cleandoc(below.value.value)
        else:
            yield statement, ""


def definition(module: str, name: str) -> Definition:
    """Follows the imports of a name to where it is defined. `LookupError` where it is not there."""
    for statement, doc in with_docs(tree(module).body):
        if isinstance(statement, ast.ImportFrom) and statement.module:
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    return definition(statement.module, alias.name)
        if name in names(statement):
            return Definition(module, name, statement, doc)
    raise LookupError(f"{module} has no {name}")


def exported(module: str) -> list[str]:
    """What a module says is in it."""
    return list(importlib.import_module(module).__all__)


def arguments(function: Function, *, skip_first: bool) -> list[str]:
    """The parameters as they are written, one by one."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    texts = [_parameter(each, default) for each, default in zip(plain, defaults, strict=True)]
    if given.posonlyargs:
        texts.insert(len(given.posonlyargs), "/")
    if skip_first:
        del texts[0]
        if texts[:1] == ["/"]:
            del texts[0]
    if given.vararg:
        texts.append(f"*{_parameter(given.vararg, None)}")
    elif given.kwonlyargs:
        texts.append("*")
    texts += [_parameter(each, default) for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        texts.append(f"**{_parameter(given.kwarg, None)}")
    return texts


def _parameter(parameter: ast.arg, default: ast.expr | None) -> str:
    text = parameter.arg
    if parameter.annotation is not None:
        text += f": {ast.unparse(parameter.annotation)}"
    if default is not None:
        text += f" = {ast.unparse(default)}" if parameter.annotation is not None else f"={ast.unparse(default)}"
    return text


def signature(name: str, parameters: list[str], returns: ast.expr | None, prefix: str = "") -> str:
    """A signature, one parameter a line where it is long."""
    result = "" if returns is None else f" -> {ast.unparse(returns)}"
    line = f"{prefix}{name}({', '.join(parameters)}){result}"
    if len(line) <= 100:
        return line
    return f"{prefix}{name}(\n" + "".join(f"    {each},\n" for each in parameters) + f"){result}"


def decorators(function: Function) -> list[str]:
    return [ast.unparse(each) for each in function.decorator_list]


def member(statement: ast.stmt, doc: str) -> Member | None:
    """A statement of a class's body as a member; `None` for what is not public."""
    if isinstance(statement, Function):
        private = statement.name.startswith("_") and statement.name != "__call__"
        if private or f"{statement.name}.setter" in decorators(statement):
            return None
        if "property" in decorators(statement):
            returns = "" if statement.returns is None else f": {ast.unparse(statement.returns)}"
            return Member(statement.name, f"{statement.name}{returns}", doc)
        prefix = "async " if isinstance(statement, ast.AsyncFunctionDef) else ""
        parameters = arguments(statement, skip_first="staticmethod" not in decorators(statement))
        return Member(statement.name, signature(statement.name, parameters, statement.returns, prefix), doc)
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        if statement.target.id.startswith("_"):
            return None
        default = ""
        if statement.value is not None and not ast.unparse(statement.value).startswith("field("):
            default = f" = {ast.unparse(statement.value)}"
        name = statement.target.id
        return Member(name, f"{name}: {ast.unparse(statement.annotation)}{default}", doc)
    if isinstance(statement, ast.Assign) and doc:
        # Without a docstring it is another value for what a base has.
        (name, *_) = names(statement) or ["_"]
        return None if name.startswith("_") else Member(name, ast.unparse(statement), doc)
    return None


def members(found: Definition) -> list[Member]:
    """The public members of a class, and those of its bases that have no entry of their own."""
    assert isinstance(found.node, ast.ClassDef)
    listed = {each.name: each for each in (member(*pair) for pair in with_docs(found.node.body)) if each}
    for base in found.node.bases:
        if isinstance(base, ast.Name) and base.id.startswith("Base") and base.id != "BaseException":
            for each in members(definition(found.module, base.id)):
                listed.setdefault(each.name, each)
    return list(listed.values())


def construction(found: Definition) -> str:
    """What makes an instance; empty where nothing does, or where the class takes what a base takes."""
    node = found.node
    assert isinstance(node, ast.ClassDef)
    for statement in node.body:
        if isinstance(statement, Function) and statement.name in ("__init__", "__new__"):
            parameters = arguments(statement, skip_first=True)
            hidden = any(re.search(r"Surroundings|Session|_native", each) for each in parameters)
            return "" if hidden else signature(found.name, parameters, None)
    if any("dataclass" in ast.unparse(each) for each in node.decorator_list):
        fields = [
            each for each in node.body if isinstance(each, ast.AnnAssign) and "init=False" not in ast.unparse(each)
        ]
        keywords = ["*"] if any("kw_only=True" in ast.unparse(each) for each in node.decorator_list) else []
        return signature(found.name, [*keywords, *(ast.unparse(each) for each in fields)], None)
    return ""


def entry(path: str) -> str:
    """The text of one entry: the name as a heading, how it is imported, its signature, docstring and members."""
    module, _, name = path.rpartition(".")
    if module == "slimeweb._core":
        found = definition(module, name)
        lines = [f"## {name}", ""]
    else:
        found = definition(module, name)
        lines = [f"## {name}", "", f"`from {module} import {name}`", ""]
    shown, listed = "", list[Member]()
    if isinstance(found.node, ast.ClassDef):
        shown, listed = construction(found), members(found)
    elif isinstance(found.node, Function):
        prefix = "async " if isinstance(found.node, ast.AsyncFunctionDef) else ""
        shown = signature(name, arguments(found.node, skip_first=False), found.node.returns, prefix)
    elif isinstance(found.node, ast.AnnAssign | ast.Assign):
        shown = ast.unparse(found.node)
    if shown:
        lines += ["```text", shown, "```", ""]
    lines += [found.doc, ""]
    for each in listed:
        lines += [f"### {name}.{each.name}", "", "```text", each.signature, "```", ""]
        lines += [each.doc, ""] if each.doc else []
    return "\n".join(lines)


def entries(text: str) -> list[str]:
    """The names that a page has entries of."""
    return [match[2] for match in ENTRY.finditer(text)]


def rewritten(text: str) -> str:
    """A page with its entries written anew."""
    return ENTRY.sub(lambda match: f"{match[1]}\n{entry(match[2])}{match[3]}", text)


if __name__ == "__main__":
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(rewritten(page.read_text("utf-8")), "utf-8")
