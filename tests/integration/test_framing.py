"""How responses are framed: by the server alone, whatever a handler sets, over both versions of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificate import tls_variables
from support.http2 import Reset
from support.process import ServerProcess

APPLICATION = '''
from slimeweb import HttpError, Slime, SlimeMiddleware

app = Slime(__file__)


class Late(SlimeMiddleware):
    def middle_before(self, req, resp):
        if "lost" in req.path:
            resp.set_cookie("visitor", "7")
            resp.set_cookie("theme", "dark")

    def middle_after(self, req, resp):
        if req.path.endswith("/replaced"):
            resp.plain("replaced later")




def both(path, **options):
    """Declares a handler once as it is and once as a coroutine."""
    def declare(handler):
        async def coroutine(req, resp):
            return handler(req, resp)
        app.route("/plain" + path, **options)(handler)
        app.route("/coroutine" + path, **options)(coroutine)
        return handler
    return declare


@both("/replaced")
@both("/fields", method=["GET", "POST"])
def fields(req, resp):
    for pair in req.query_all("f"):
        resp.add_header(*pair.split(":", 1))
    return resp.plain("hello")


@both("/status/{code:int}")
def status(req, resp):
    return resp.plain("hello", status=req.params["code"])


@both("/length-only")
def length_only(req, resp):
    resp.set_header("Content-Length", "1234")
    return resp.empty(200)


@both("/stream/{said:int}")
def stream(req, resp):
    if req.params["said"] >= 0:
        resp.set_header("Content-Length", str(req.params["said"]))
    writer = resp.writer()
    writer.start()
    writer.write("hello")
    writer.close()


@both("/file/{code:int}", method=["GET", "POST", "PUT", "PATCH", "DELETE"])
def file(req, resp):
    resp.set_status(req.params["code"])
    return resp.file(__file__)


@app.error(418)
def teapot(req, resp, exc):
    return resp.file(__file__)


@both("/teapot")
def raises(req, resp):
    raise HttpError(418)


@both("/lost")
def lost(req, resp):
    resp.set_cookie("session", "secret")
    resp.set_cookie("theme", "light")
    for name, value in {
        "Access-Control-Allow-Origin": "https://a.example", "Cache-Control": "public", "Content-Encoding": "gzip",
        "Content-Type": "image/png", "ETag": '"1"', "Content-Length": "9",
    }.items():
        resp.set_header(name, value)
    raise RuntimeError("lost")


@both("/lost/after")
def lost_after(req, resp):
    resp.set_cookie("session", "secret")
    return "the after of this path fails"


@app.middle_after(path="/plain/lost/after")
def fails(req, resp):
    raise RuntimeError("lost")


@app.middle_after(path="/coroutine/lost/after")
async def fails_async(req, resp):
    raise RuntimeError("lost")


@both("/typed")
def typed(req, resp):
    resp.set_header("Content-Type", "text/csv")
    return resp.plain("a,b")


@both("/spaces")
def spaces(req, resp):
    resp.set_header("X-Spaces", " \t a b\t ")
    resp.add_header("X-Spaces", " ")
    return resp.plain(repr(resp.header_all("X-Spaces")))


@both("/upgrade")
def upgrade(req, resp):
    raise HttpError(426, headers={"Upgrade": "toy/1"})


@both("/wrong")
def wrong(req, resp):
    problems = []
    for name, value in [("X", 5), (5, "x"), ("X", b"x")]:
        try:
            resp.set_header(name, value)
        except TypeError as error:
            problems.append(str(error))
    return problems


app.use(Late())
app.serve()
'''

KINDS = pytest.mark.parametrize("kind", ["plain", "coroutine"])
VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("framing") / "main.py"
    script.write_text(APPLICATION)
    return script


@pytest.fixture(scope="module")
def server(script: Path) -> Iterator[ServerProcess]:
    env = tls_variables(script.parent)
    with ServerProcess(script, env=env) as server:
        yield server.wait_until_serving()


@VERSIONS
@KINDS
@pytest.mark.parametrize("lengths", [["3"], ["50"], ["abc"], ["5", "3"], ["5"]])
@pytest.mark.parametrize(("path", "body"), [("fields", "hello"), ("replaced", "replaced later")])
def test_a_length_that_is_not_the_bodys_is_not_sent(
    server: ServerProcess, version: str, kind: str, lengths: list[str], path: str, body: str
) -> None:
    query = "&".join(f"f=Content-Length:{length}" for length in lengths)
    answer = server.ask(f"/{kind}/{path}?{query}", version=version)
    assert (answer.status, answer.text) == (200, body)
    assert set(answer.header_all("content-length")) <= {str(len(body))}


@KINDS
def test_a_false_length_leaves_the_connection_in_step_and_is_said_in_the_log(server: ServerProcess, kind: str) -> None:
    with server.wire() as wire:
        for length in ("3", "50", "4"):
            wire.request("GET", f"/{kind}/fields?f=Content-Length:{length}")
            assert wire.answer().text == "hello"
    server.wait_for_output(rf"content-length: '50' in the answer to GET \"/{kind}/fields\" is not sent", timeout=10)


@VERSIONS
@KINDS
@pytest.mark.parametrize("more", ["", "&f=Content-Length:5", "&f=Connection:keep-alive&f=Keep-Alive:timeout%3D5"])
def test_fields_that_belong_to_another_connection_are_not_sent(
    server: ServerProcess, version: str, kind: str, more: str
) -> None:
    answer = server.ask(f"/{kind}/fields?f=Transfer-Encoding:gzip{more}", version=version)
    assert (answer.status, answer.text) == (200, "hello")
    for name in ("transfer-encoding", "connection", "keep-alive"):
        assert answer.header(name) is None
    server.wait_for_output(rf"transfer-encoding: 'gzip' in the answer to GET \"/{kind}/fields\"", timeout=10)


@VERSIONS
@KINDS
@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_some_statuses_have_no_content(
    server: ServerProcess, version: str, kind: str, status: int, method: str
) -> None:
    answer = server.ask(f"/{kind}/status/{status}", method, version=version)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.header("content-length") == ("0" if status == 205 else None)
    # It would describe the content.
    assert answer.header("content-type") is None


@VERSIONS
@KINDS
def test_whitespace_around_a_value_is_not_sent(server: ServerProcess, version: str, kind: str) -> None:
    answer = server.ask(f"/{kind}/spaces", version=version)
    assert (answer.status, answer.text) == (200, "['a b', '']")
    assert answer.header_all("x-spaces") == ["a b", ""]


@VERSIONS
@KINDS
def test_upgrade_is_said_to_be_for_one_connection(server: ServerProcess, version: str, kind: str) -> None:
    answer = server.ask(f"/{kind}/upgrade", version=version)
    fields = (answer.header("upgrade"), answer.header("connection"))
    assert (answer.status, fields) == (426, ("toy/1", "upgrade") if version == "1.1" else (None, None))


@VERSIONS
@KINDS
@pytest.mark.parametrize(
    ("path", "status", "length"),
    [
        ("fields", 200, "5"),
        ("status/404", 404, "5"),
        ("length-only", 200, "1234"),
        ("stream/-1", 200, None),
        ("stream/5", 200, "5"),
        ("nowhere", 404, "9"),
    ],
)
def test_head_has_no_content_and_the_length_of_a_get(
    server: ServerProcess, version: str, kind: str, path: str, status: int, length: str | None
) -> None:
    answer = server.ask(f"/{kind}/{path}", "HEAD", version=version)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.header("content-length") == length


@VERSIONS
@KINDS
def test_a_stream_may_say_its_length(server: ServerProcess, version: str, kind: str) -> None:
    answer = server.ask(f"/{kind}/stream/5", version=version)
    assert (answer.status, answer.text, answer.header("content-length")) == (200, "hello", "5")


@VERSIONS
@KINDS
@pytest.mark.parametrize("said", [3, 9])
def test_a_stream_of_another_length_than_it_said_is_cut(
    server: ServerProcess, version: str, kind: str, said: int
) -> None:
    with pytest.raises((Reset, EOFError, ConnectionError)):
        server.ask(f"/{kind}/stream/{said}", version=version)


@VERSIONS
@KINDS
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_method_can_be_answered_with_a_file(
    server: ServerProcess, script: Path, version: str, kind: str, method: str
) -> None:
    headers = {"Range": "bytes=0-1", "If-None-Match": "*"}
    answer = server.ask(f"/{kind}/file/201", method, headers=headers, version=version)
    assert (answer.status, answer.body) == (201, script.read_bytes())


@VERSIONS
@KINDS
def test_conditions_and_ranges_are_for_a_successful_get(
    server: ServerProcess, script: Path, version: str, kind: str
) -> None:
    headers = {"Range": "bytes=0-1"}
    assert server.ask(f"/{kind}/file/200", headers=headers, version=version).status == 206
    answer = server.ask(f"/{kind}/file/404", headers=headers, version=version)
    assert (answer.status, answer.body) == (404, script.read_bytes())
    assert answer.header("accept-ranges") is None


@VERSIONS
@KINDS
def test_an_error_page_can_be_a_file(server: ServerProcess, script: Path, version: str, kind: str) -> None:
    answer = server.ask(f"/{kind}/teapot", version=version)
    assert (answer.status, answer.body) == (418, script.read_bytes())


@VERSIONS
@KINDS
def test_an_error_keeps_nothing_that_describes_the_lost_body(server: ServerProcess, version: str, kind: str) -> None:
    answer = server.ask(f"/{kind}/lost", version=version)
    assert (answer.status, answer.text) == (500, "Internal Server Error")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    for name in ("cache-control", "content-encoding", "etag"):
        assert answer.header(name) is None, name
    assert answer.header("access-control-allow-origin") == "https://a.example"


@VERSIONS
@KINDS
@pytest.mark.parametrize("path", ["lost", "lost/after"])
def test_an_error_keeps_the_cookies_of_middleware_and_not_those_of_the_handler(
    server: ServerProcess, version: str, kind: str, path: str
) -> None:
    answer = server.ask(f"/{kind}/{path}", version=version)
    assert answer.status == 500
    cookies = [line.partition(";")[0] for line in answer.header_all("set-cookie")]
    assert cookies == ["visitor=7", "theme=dark"]


@KINDS
def test_a_content_type_set_before_the_text_is_kept(server: ServerProcess, kind: str) -> None:
    assert server.ask(f"/{kind}/typed").header("content-type") == "text/csv"


@KINDS
def test_a_header_that_is_no_text_raises_with_what_to_type(server: ServerProcess, kind: str) -> None:
    assert server.ask(f"/{kind}/wrong").json() == [
        "set_header: the value is an int, 5, not a str: write it as text, such as str(…)",
        "set_header: the name is an int, 5, not a str: write it as text, such as str(…)",
        "set_header: the value is a bytes, b'x', not a str: decode it",
    ]
