"""Files on the way out: static folders, downloads, ranges and conditions (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from support.certificate import tls_variables
from support.process import REPOSITORY, ServerProcess

REPORT = (REPOSITORY / "examples" / "tour" / "downloads" / "report.csv").read_bytes()
STYLE = (REPOSITORY / "examples" / "tour" / "static" / "css" / "tour.css").read_bytes()


@pytest.fixture(scope="module")
def tour(tour_by_version: ServerProcess) -> ServerProcess:
    """Each test over both versions of HTTP."""
    return tour_by_version


def test_a_static_file_beside_the_application(tour: ServerProcess) -> None:
    answer = tour.ask("/static/css/tour.css")
    assert (answer.status, answer.body) == (200, STYLE)
    assert answer.header("content-type") == "text/css; charset=utf-8"
    assert answer.header("accept-ranges") == "bytes"
    assert answer.header("etag")
    assert answer.header("last-modified")


def test_a_folder_is_its_index(tour: ServerProcess) -> None:
    assert b"A tour of slimeweb" in tour.ask("/static/").body


def test_another_folder_by_static_route(tour: ServerProcess) -> None:
    assert tour.ask("/downloads/report.csv").body == REPORT


@pytest.mark.parametrize(
    "target",
    [
        "/static/../main.py",
        "/static/%2e%2e/main.py",
        "/static/..%2fmain.py",
        "/static/css/../../main.py",
        "/static/..%5cmain.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/css%00.css",
        "/static/.gitignore",
        "/downloads/../.gitignore",
        "/static/css",
        "/static/missing.css",
    ],
)
def test_nothing_outside_the_folder_is_served(tour: ServerProcess, target: str) -> None:
    answer = tour.ask(target)
    assert answer.status in (400, 404)
    assert b"import" not in answer.body
    assert b"root:" not in answer.body


def test_a_static_file_is_only_read(tour: ServerProcess) -> None:
    answer = tour.ask("/static/css/tour.css", "POST", body=b"x")
    assert answer.status == 405
    assert "GET" in str(answer.header("allow"))


@pytest.mark.parametrize("target", ["/report", "/downloads/report.csv"])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-11", 0, 12), ("bytes=5-", 5, len(REPORT)), ("bytes=-7", len(REPORT) - 7, len(REPORT))],
)
def test_a_range_is_206(tour: ServerProcess, target: str, asked: str, start: int, stop: int) -> None:
    answer = tour.ask(target, headers={"Range": asked})
    assert (answer.status, answer.body) == (206, REPORT[start:stop])
    assert answer.header("content-range") == f"bytes {start}-{stop - 1}/{len(REPORT)}"


def test_a_range_beyond_the_end_is_416(tour: ServerProcess) -> None:
    answer = tour.ask("/report", headers={"Range": "bytes=99999-"})
    assert answer.status == 416
    assert answer.header("content-range") == f"bytes */{len(REPORT)}"


@pytest.mark.parametrize("asked", ["bytes=9-3", "lines=1-2", "bytes=", "bytes=a-b", "bytes=0-1,4-5"])
def test_a_range_that_is_not_understood_is_ignored(tour: ServerProcess, asked: str) -> None:
    answer = tour.ask("/report", headers={"Range": asked})
    assert (answer.status, answer.body) == (200, REPORT)


def test_a_download_has_its_name(tour: ServerProcess) -> None:
    answer = tour.ask("/report")
    assert (answer.status, answer.body) == (200, REPORT)
    disposition = str(answer.header("content-disposition"))
    assert disposition.startswith("attachment")
    assert '"report 2026.csv"' in disposition
    assert str(answer.header("content-type")).startswith("text/csv")


def test_an_unchanged_file_is_304(tour: ServerProcess) -> None:
    for target in ("/report", "/static/css/tour.css"):
        first = tour.ask(target)
        etag, modified = str(first.header("etag")), str(first.header("last-modified"))
        for condition in ({"If-None-Match": etag}, {"If-Modified-Since": modified}, {"If-None-Match": f'"x", {etag}'}):
            answer = tour.ask(target, headers=condition)
            assert (answer.status, answer.body) == (304, b""), condition
            assert answer.header("etag") == etag
        assert tour.ask(target, headers={"If-None-Match": '"other"'}).status == 200
        assert tour.ask(target, headers={"If-Match": '"other"'}).status == 412
        changed = tour.ask(target, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
        assert changed.status == 200, "a range of an older file must not be glued to this one"


def test_head_of_a_file_has_its_length(tour: ServerProcess) -> None:
    answer = tour.ask("/report", "HEAD")
    assert (answer.status, answer.header("content-length")) == (200, str(len(REPORT)))


COVERED = """
from slimeweb import Slime
from slimeweb.plugin import Cors

app = Slime(__file__)


class Markup:
    def __html__(self):
        return "<b>hi</b>"


@app.route("/plain")
def plain(req, resp):
    return Markup()


@app.route("/coroutine")
async def coroutine(req, resp):
    return Markup()


app.use(Cors("https://shop.example"))
app.static_route("/files", "files")
app.static_route("/open", "files", headers={"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "X-A"})
app.serve()
"""
LARGE = bytes(range(256)) * 8192
VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])


@pytest.fixture(scope="module")
def covered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("covered")
    (directory / "main.py").write_text(COVERED)
    (directory / "files" / "sub").mkdir(parents=True)
    (directory / "files" / "large.bin").write_bytes(LARGE)
    (directory / "files" / "sub" / "index.html").write_text("index")
    (directory / "files" / "page.txt").write_text("page")
    (directory / "files" / "page.txt.gz").write_bytes(gzip.compress(b"page"))
    env = tls_variables(directory)
    with ServerProcess(directory / "main.py", env=env) as server:
        yield server.wait_until_serving()


@VERSIONS
def test_static_files_are_sent_as_they_are_with_the_fields_of_cors(covered: ServerProcess, version: str) -> None:
    origin = {"Origin": "https://shop.example"}
    size = str(len(LARGE))
    for method, more, status, body, length in [
        ("GET", {}, 200, LARGE, size),
        ("HEAD", {}, 200, b"", size),
        ("GET", {"Range": "bytes=1-3"}, 206, LARGE[1:4], "3"),
    ]:
        answer = covered.ask("/files/large.bin", method, headers={**origin, **more}, version=version)
        assert (answer.status, answer.body, answer.header("content-length")) == (status, body, length)
        assert answer.header("access-control-allow-origin") == "https://shop.example"
    asked = {**origin, "Access-Control-Request-Method": "GET"}
    preflight = covered.ask("/files/large.bin", "OPTIONS", headers=asked, version=version)
    assert (preflight.status, preflight.header("allow")) == (204, None)
    assert preflight.header("access-control-allow-origin") == "https://shop.example"


@VERSIONS
@pytest.mark.parametrize("origin", ["https://shop.example", "https://else.example"])
def test_a_static_route_with_an_origin_of_its_own_answers_preflights_with_that(
    covered: ServerProcess, version: str, origin: str
) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-a"}
    for method, status in [("OPTIONS", 204), ("GET", 200), ("POST", 405)]:
        answer = covered.ask("/open/page.txt", method, headers=asked, version=version)
        assert answer.status == status
        assert answer.header_all("access-control-allow-origin") == ["*"]
        assert answer.header_all("access-control-allow-headers") == ["X-A"]


@VERSIONS
def test_a_static_file_says_its_methods(covered: ServerProcess, version: str) -> None:
    for method, status in [("OPTIONS", 204), ("DELETE", 405)]:
        answer = covered.ask("/files/page.txt", method, version=version)
        assert (answer.status, answer.header("allow")) == (status, "GET, HEAD, OPTIONS")
    assert covered.ask("/files/none.txt", "OPTIONS", version=version).status == 404


@VERSIONS
def test_a_304_says_nothing_of_the_coding_of_what_is_not_sent(covered: ServerProcess, version: str) -> None:
    accepts = {"Accept-Encoding": "gzip"}
    whole = covered.ask("/files/page.txt", headers=accepts, version=version)
    assert whole.header("content-encoding") == "gzip"
    etag = str(whole.header("etag"))
    answer = covered.ask("/files/page.txt", headers={**accepts, "If-None-Match": etag}, version=version)
    assert (answer.status, answer.header("etag"), answer.header("content-encoding")) == (304, etag, None)
    assert "accept-encoding" in answer.header_all("vary")


@VERSIONS
def test_the_redirect_to_the_slash_of_a_directory_keeps_the_query(covered: ServerProcess, version: str) -> None:
    answer = covered.ask("/files/sub?page=2&q=a%20b", version=version)
    assert (answer.status, answer.header("location")) == (308, "/files/sub/?page=2&q=a%20b")


@VERSIONS
@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_value_that_knows_its_html_is_a_page(covered: ServerProcess, version: str, kind: str) -> None:
    answer = covered.ask(f"/{kind}", version=version)
    assert (answer.text, answer.header("content-type")) == ("<b>hi</b>", "text/html; charset=utf-8")
