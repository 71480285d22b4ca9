"""`app.templates` without a server."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader

from slimeweb.errors import InvalidHandler
from slimeweb_templates import Templates
from slimeweb_templates.errors import MissingTemplate, TemplateMistake


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    return Templates(tmp_path)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("page.html", True),
        ("PAGE.HTM", True),
        ("feed.xml", True),
        ("drawing.svg", True),
        ("page.html.j2", True),
        ("feed.xml.jinja", True),
        ("query.sql", False),
        ("notes.md", False),
        ("data.json.j2", False),
        ("config.yaml", False),
    ],
)
def test_markup_is_escaped_and_nothing_else(templates: Templates, name: str, escaped: bool) -> None:
    templates.add_loader(DictLoader({name: "{{ value }}"}))
    assert templates.render(name, value="<&>") == ("&lt;&amp;&gt;" if escaped else "<&>")


def test_globals_filters_tests_and_loaders(templates: Templates) -> None:
    templates.globals["site"] = "Slime"
    templates.tests["even"] = lambda number: number % 2 == 0

    @templates.filter()
    def shout(text: str) -> str:
        return text.upper()

    @templates.filter("twice")
    def repeat(text: str) -> str:
        return text * 2

    templates.add_loader(DictLoader({"a.txt": "{{ site }} {{ 'x'|shout|twice }} {{ 2 is even }}"}))
    assert templates.render("a.txt") == "Slime XX True"


def test_the_directory_comes_before_other_loaders(templates: Templates) -> None:
    (templates.directory / "a.txt").write_text("file")
    templates.add_loader(DictLoader({"a.txt": "loader", "b.txt": "{% include 'a.txt' %}"}))
    assert templates.render("b.txt") == "file"


def test_names_given_as_keywords_count_over_a_dict(templates: Templates) -> None:
    templates.add_loader(DictLoader({"a.txt": "{{ name }}{{ context }}"}))
    assert templates.render("a.txt", {"name": "dict", "context": 1}, name="keyword") == "keyword1"


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "a/../../secret.txt"])
def test_no_name_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "templates").mkdir()
    with pytest.raises(MissingTemplate):
        Templates(tmp_path / "templates").render(name)


def test_a_mistake_inside_an_include_names_the_include(templates: Templates) -> None:
    (templates.directory / "outer.html").write_text("{% include 'inner.html' %}")
    (templates.directory / "inner.html").write_text("\n{{ none.attribute.deeper }}")
    with pytest.raises(TemplateMistake, match=r"'inner\.html', line 2: UndefinedError") as caught:
        templates.render("outer.html")
    assert (caught.value.template, caught.value.line) == ("inner.html", 2)
    assert caught.value.__cause__ is not None


def test_a_missing_include_names_both(templates: Templates) -> None:
    (templates.directory / "outer.html").write_text("{% include 'gone.html' %}")
    with pytest.raises(MissingTemplate, match=r"'gone\.html', which 'outer\.html' needs, was not found"):
        templates.render("outer.html")


def test_a_template_that_another_one_renders_is_the_one_to_look_at(templates: Templates) -> None:
    (templates.directory / "outer.html").write_text("{{ render('inner.html') }}")
    (templates.directory / "inner.html").write_text("\n{{ none.attribute.deeper }}")
    templates.globals["render"] = templates.render
    with pytest.raises(TemplateMistake, match=r"^the template 'inner\.html', line 2: UndefinedError"):
        templates.render("outer.html")


def test_a_file_that_is_not_utf8_is_named(templates: Templates) -> None:
    (templates.directory / "old.html").write_bytes("grüße".encode("latin-1"))
    (templates.directory / "outer.html").write_text("{% include 'old.html' %}")
    with pytest.raises(TemplateMistake, match=r"'old\.html': its file is not UTF-8"):
        templates.render("old.html")
    with pytest.raises(TemplateMistake, match=r"'outer\.html', line 1: UnicodeDecodeError"):
        templates.render("outer.html")


@pytest.mark.parametrize("name", [None, Path("a.txt"), b"a.txt"])
def test_a_name_that_is_no_text_is_told_what_to_write(templates: Templates, name: Any) -> None:
    with pytest.raises(TypeError, match=r"is no template's name: use its path in .*, such as 'home\.html'"):
        templates.render(name)


@pytest.mark.parametrize("context", [5, ["x"], "x", {5: 1}])
def test_a_context_without_names_is_told_what_to_write(templates: Templates, context: Any) -> None:
    templates.add_loader(DictLoader({"a.txt": ""}))
    with pytest.raises(TypeError, match=r"render\('a\.txt', .*\): use a dict with names as its keys, or keywords"):
        templates.render("a.txt", context)


def test_a_filter_without_parentheses_is_refused(templates: Templates) -> None:
    def shout(text: str) -> str:
        return text.upper()

    with pytest.raises(InvalidHandler, match=r"write @app\.templates\.filter\(\)"):
        templates.filter(shout)  # type: ignore[arg-type]


def test_files_are_followed_only_when_asked_to(templates: Templates) -> None:
    file = templates.directory / "a.txt"
    file.write_text("old")
    assert templates.render("a.txt") == "old"
    file.write_text("new")
    os.utime(file, (1, 1))
    assert templates.render("a.txt") == "old"
    templates.reload(True)
    assert templates.render("a.txt") == "new"


def test_many_threads_render_at_once(templates: Templates) -> None:
    for number in range(20):
        (templates.directory / f"{number}.html").write_text(f"{number}:{{{{ value }}}}{{% include 'shared.html' %}}")
    (templates.directory / "shared.html").write_text("!")
    wrong: list[str] = []
    barrier = threading.Barrier(8)

    def work(value: int) -> None:
        barrier.wait()
        for _ in range(20):
            for number in range(20):
                text = templates.render(f"{number}.html", value=value)
                if text != f"{number}:{value}!":
                    wrong.append(text)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
