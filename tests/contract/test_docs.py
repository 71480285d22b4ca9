"""What docs/ states, compared with the code: hooks and their signatures, links; every example is run.

What they state of defaults is in test_defaults.py.
"""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slimeweb import hookspecs

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PLUGINS = DOCS / "plugins.md"
OF_PLUGINS = ("streams.md", "typed.md", "websockets.md", "testing.md", "tutorial.md")
PAGES = sorted(DOCS.rglob("*.md"))
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("slime_"))


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, text and first line, and the heading above it."""

    page: Path
    language: str
    text: str
    line: int
    heading: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(DOCS)}:{self.line}-{self.heading}"

    def declaration(self) -> ast.FunctionDef | None:
        """The hook that the block declares, when that is all it does."""
        if self.language != "python":
            return None
        body = ast.parse(self.text).body
        if len(body) == 1 and isinstance(body[0], ast.FunctionDef) and body[0].name in HOOKS:
            return body[0]
        return None


def blocks(page: Path) -> Iterator[Block]:
    heading, language, start, lines = "", None, 0, list[str]()
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if line.startswith("```"):
            if language is None:
                language, start, lines = line[3:].strip(), number + 1, []
            else:
                yield Block(page, language, "\n".join(lines) + "\n", start, heading)
                language = None
        elif language is not None:
            lines.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    assert language is None, f"{page}: the block that begins before line {start} does not end"


BLOCKS = [block for page in PAGES for block in blocks(page)]
EXAMPLES = [block for block in BLOCKS if block.language == "python" and block.declaration() is None]


def signature(function: ast.FunctionDef) -> tuple[list[str], str, str | None]:
    """Decorators (but the plain one that every hook has), parameters, result."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    returns = None if function.returns is None else ast.unparse(function.returns)
    return [each for each in decorators if each != "hookspec"], ast.unparse(function.args), returns


def declared() -> dict[str, ast.FunctionDef]:
    tree = ast.parse(inspect.getsource(hookspecs))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in HOOKS}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_heading_its_exact_signature_and_an_example(hook: str) -> None:
    under = [block for block in BLOCKS if block.page == PLUGINS and block.heading == hook]
    assert under, f"{PLUGINS} has no heading {hook!r}, or nothing below it"
    shown = [found for block in under if (found := block.declaration())]
    assert [function.name for function in shown] == [hook]
    assert signature(shown[0]) == signature(declared()[hook])
    examples = [block for block in under if block in EXAMPLES]
    assert any(f"def {hook}(" in block.text for block in examples)


def test_only_hooks_have_the_heading_of_one() -> None:
    headings = re.findall(r"^#+ (slime_\w+)$", PLUGINS.read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test_of_its_own(hook: str) -> None:
    """Its name begins with `test_` and the hook's; those that all hooks share do not count."""
    tests = [
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path)))
        if isinstance(node, ast.FunctionDef) and node.name.startswith(f"test_{hook}_")
    ]
    assert tests, f"write a test_{hook}_… in tests/contract"


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.id)
def test_an_example_does_what_it_says(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if block.page.parent == DOCS / "reference" or block.page.name in OF_PLUGINS:
        # These pages are about the installed plugins as well.
        monkeypatch.delenv("SLIME_DISABLE_PLUGINS")
    code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec", dont_inherit=True)
    exec(code, {"__name__": "example", "__file__": str(tmp_path / "main.py")})


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=lambda block: block.id)
def test_toml_is_well_formed(block: Block) -> None:
    assert tomllib.loads(block.text)


def test_there_are_examples() -> None:
    assert len([block for block in EXAMPLES if block.page == PLUGINS]) > len(HOOKS)


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted(DOCS.parent.glob("*.md"))], ids=lambda page: str(page.relative_to(DOCS.parent))
)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text("utf-8")):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor[1:] in slugs, f"{page.name} links to {target}{anchor}"
