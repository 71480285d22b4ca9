"""Entity tags and 304, by a plugin that tags before filters and answers after them."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.environments import Environment
from support.process import ServerProcess
from support.wire import Answer

PLUGIN = "slimeweb-etag"
SHARES_SERVER = True
ALSO = ("slimeweb-compress", "slimeweb-stream")

HERE = Path(__file__).parent
ANSWERS = ["/plain", "/coroutine", "/own", "/large"]


@pytest.fixture(scope="module")
def server(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One for all tests, which leave it as it was."""
    folder = tmp_path_factory.mktemp("application")
    app = shutil.copy(HERE / PLUGIN / "example.py", folder)
    with ServerProcess(Path(app), python=environment.interpreter, cwd=folder) as server:
        yield server.wait_until_serving()


def tag(answer: Answer) -> str:
    assert answer.status == 200
    return answer.header("etag") or ""


@pytest.mark.parametrize("path", ANSWERS)
def test_who_has_the_answer_gets_a_304(server: ServerProcess, path: str) -> None:
    known = tag(server.ask(path))
    for field in (known, f'"other", {known}', f"W/{known}", "*"):
        answer = server.ask(path, headers={"If-None-Match": field})
        assert (answer.status, answer.header("etag"), answer.body) == (304, known, b"")
        assert answer.header("content-type") is None
    assert server.ask(path, headers={"If-None-Match": '"other"'}).status == 200


def test_a_tag_is_as_long_as_the_content_the_same(server: ServerProcess) -> None:
    assert tag(server.ask("/plain")) == tag(server.ask("/coroutine")) != tag(server.ask("/large"))
    assert tag(server.ask("/own")) == '"version 7"'


def test_a_304_has_what_caches_need(server: ServerProcess) -> None:
    assert server.ask("/plain", headers={"If-None-Match": "*"}).header("cache-control") == "max-age=60"


def test_a_compressed_answer_has_a_weak_tag_and_its_304_the_same_vary(server: ServerProcess) -> None:
    plain = tag(server.ask("/large", headers={"Accept-Encoding": "identity"}))
    answer = server.ask("/large", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.body) == b"hello " * 1000
    assert tag(answer) == f"W/{plain}"
    again = server.ask("/large", headers={"Accept-Encoding": "gzip", "If-None-Match": tag(answer)})
    assert (again.status, again.header("etag"), again.header("vary")) == (304, f"W/{plain}", "Accept-Encoding")
    assert (again.header("content-encoding"), again.body) == (None, b"")


def test_head_is_answered_as_get_is(server: ServerProcess) -> None:
    known = tag(server.ask("/plain", "HEAD"))
    assert known == tag(server.ask("/plain"))
    assert server.ask("/plain", "HEAD", headers={"If-None-Match": known}).status == 304


def test_other_methods_failures_and_streams_have_none(server: ServerProcess) -> None:
    for method, path, status in [("POST", "/plain", 200), ("GET", "/failing", 404), ("GET", "/stream", 200)]:
        answer = server.ask(path, method, headers={"If-None-Match": "*"})
        assert (answer.status, answer.header("etag")) == (status, None)


def test_a_file_keeps_the_tag_of_the_server(server: ServerProcess) -> None:
    known = tag(server.ask("/file"))
    assert known != tag(server.ask("/plain"))
    assert server.ask("/file", headers={"If-None-Match": known}).status == 304
