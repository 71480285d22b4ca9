"""A panel in HTML pages, by a plugin with a body filter for content."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.environments import Environment
from support.process import ServerProcess

PLUGIN = "slimeweb-toolbar"
SHARES_SERVER = True
ALSO = ("slimeweb-compress", "slimeweb-stream")

HERE = Path(__file__).parent
PANEL = '<details id="slime-toolbar">'


@pytest.fixture(scope="module")
def server(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One for all tests, which leave it as it was."""
    folder = tmp_path_factory.mktemp("application")
    app = shutil.copy(HERE / PLUGIN / "example.py", folder)
    with ServerProcess(Path(app), python=environment.interpreter, cwd=folder, env={"SLIME_DEV": "1"}) as server:
        yield server.wait_until_serving()


@pytest.mark.parametrize("path", ["/page", "/coroutine"])
def test_pages_have_it_before_their_end(server: ServerProcess, path: str) -> None:
    answer = server.ask(path)
    assert answer.text.startswith(f"<body><h1>Hello</h1>{PANEL}<summary>GET {path} &#8594; 200, ")
    assert answer.text.endswith("</details></body>")


def test_what_it_shows_is_escaped(server: ServerProcess) -> None:
    page = server.ask("/page", headers={"X-Try": "<script>"}).text
    assert "<tr><th>x-try</th><td>&lt;script&gt;</td></tr>" in page
    assert "<tr><th>x-colour</th><td>&lt;red&gt;</td></tr>" in page


def test_a_stream_has_it_once(server: ServerProcess) -> None:
    answer = server.ask("/stream")
    assert answer.header("transfer-encoding") == "chunked"
    assert answer.text.startswith(f"<body><h1>Hello</h1></body>{PANEL}")
    assert answer.text.count(PANEL) == 1


def test_it_is_in_the_page_before_that_is_compressed(server: ServerProcess) -> None:
    answer = server.ask("/large", headers={"Accept-Encoding": "gzip"})
    assert (answer.header("content-encoding"), answer.header("vary")) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(answer.body).endswith(b"</details></body>")


@pytest.mark.parametrize("path", ["/plain", "/file", "/nowhere"])
def test_what_is_no_page_of_a_handler_stays_as_it_is(server: ServerProcess, path: str) -> None:
    assert PANEL not in server.ask(path).text


def test_outside_of_development_there_is_none(environment: Environment, tmp_path: Path) -> None:
    app = Path(shutil.copy(HERE / PLUGIN / "example.py", tmp_path))
    with ServerProcess(app, python=environment.interpreter) as server:
        assert server.wait_until_serving().ask("/page").text == "<body><h1>Hello</h1></body>"
