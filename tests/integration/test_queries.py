"""Queries as clients write them, percent-encoded or not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from support.certificate import tls_variables
from support.process import ServerProcess
from support.tools import tool
from support.wire import Answer

APP = """
from slimeweb import Slime

app = Slime(__file__)

def seen(req):
    fields = sorted(req.header)
    return {"path": req.path, "query": req.query, "raw": req.query_string, "body": req.text, "fields": fields}

@app.route("/plain", method=["GET", "POST"])
def plain(req, resp):
    return seen(req)

@app.route("/coroutine", method=["GET", "POST"])
async def coroutine(req, resp):
    return seen(req)

@app.route("/{rest:path}")
def other(req, resp):
    return seen(req)

app.serve()
"""

versions = pytest.mark.parametrize("version", ["1.1", "2"])
path = pytest.mark.parametrize("path", ["/plain", "/coroutine"])


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("queries") / "main.py"
    script.write_text(APP)
    return script


@pytest.fixture(scope="module")
def server(script: Path) -> Iterator[ServerProcess]:
    with ServerProcess(script) as server:
        yield server.wait_until_serving()


@pytest.fixture(scope="module")
def secure(script: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(script, env=tls_variables(tmp_path_factory.mktemp("tls"))) as server:
        yield server.wait_until_serving()


def ask(server: ServerProcess, version: str, target: bytes) -> Answer:
    if version == "2":
        with server.http2(validate=False) as connection:
            return connection.ask("GET", target)
    with server.wire() as wire:
        wire.send(b"GET " + target + b' HTTP/1.1\r\nHost: localhost\r\nX: ?"<>\r\n\r\n')
        return wire.answer()


@path
@versions
@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("f={'a':[1,2]}", {"f": "{'a':[1,2]}"}),
        ("f=a|b^c`d\\e", {"f": "a|b^c`d\\e"}),
        ("f=%7B%22a%22%3A1%7D", {"f": '{"a":1}'}),
        ("f=é€", {"f": "é€"}),
        ("a=?&b=/?", {"a": "?", "b": "/?"}),
    ],
)
def test_what_is_not_percent_encoded_is_read(
    secure: ServerProcess, version: str, path: str, query: str, read: dict[str, str]
) -> None:
    answer = ask(secure, version, f"{path}?{query}".encode())
    assert (answer.status, answer.json()["query"], answer.json()["path"]) == (200, read, path)


@path
@versions
@pytest.mark.parametrize(
    ("query", "read"),
    [
        (b'f={"a":1}', {"f": '{"a":1}'}),
        (b"f=<b>&g=a>b", {"f": "<b>", "g": "a>b"}),
        (b'"<>', {'"<>': ""}),
        (b"f=\xe9&g=\xc3\xa9", {"f": "\N{REPLACEMENT CHARACTER}", "g": "é"}),
        (b'f="%22"', {"f": '"""'}),
    ],
)
def test_what_belongs_percent_encoded_is_taken_as_if_it_were(
    secure: ServerProcess, version: str, path: str, query: bytes, read: dict[str, str]
) -> None:
    answer = ask(secure, version, path.encode() + b"?" + query)
    assert (answer.status, answer.json()["query"], answer.json()["path"]) == (200, read, path)
    assert not any(byte in answer.json()["raw"] for byte in '"<>')
    assert not set(answer.json()["fields"]) - {"host", "x"}, "the request has what was sent"


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
def test_curl_sends_queries_as_they_are_written(secure: ServerProcess, option: str) -> None:
    urls = [f'{secure.url}/plain?f={{"a":"<{number}>"}}' for number in range(3)]
    shown = subprocess.run([tool("curl"), "-sSkg", option, *urls], capture_output=True, timeout=60, check=True).stdout
    answers = [json.loads(answer) for answer in shown.replace(b"}{", b"}\n{").splitlines()]
    assert [json.loads(answer["query"]["f"])["a"] for answer in answers] == ["<0>", "<1>", "<2>"]


def test_each_stream_of_a_connection_has_its_own_query(secure: ServerProcess) -> None:
    with secure.http2(validate=False) as connection:
        # The h2 library sends what it has sent before as an index into the dynamic table.
        numbers = [number % 7 for number in range(200)]
        targets = [b'/coroutine?f={"a":"%d"}' % number if number else b"/plain?f=1" for number in numbers]
        streams = [connection.begin("GET", target) for target in targets]
        for number, stream in zip(numbers, streams, strict=True):
            answer = connection.answer(stream).json()
            assert answer["query"]["f"] == (f'{{"a":"{number}"}}' if number else "1")


def test_pipelined_requests_stay_in_step_whatever_is_encoded(server: ServerProcess) -> None:
    one = b'POST /plain?f={"a":"%d"} HTTP/1.1\r\nHost: t\r\nContent-Length: 14\r\n\r\nGET /?"<> HTTP'
    with server.wire() as wire:
        wire.send(b"".join(one % number for number in range(20)))
        for number in range(20):
            answer = wire.answer().json()
            assert json.loads(answer["query"]["f"]) == {"a": str(number)}
            assert answer["body"] == 'GET /?"<> HTTP', "a body is nobody's query"


def test_a_query_may_come_byte_by_byte(server: ServerProcess) -> None:
    with server.wire() as wire:
        for byte in b'GET /plain?f={"a":"<1>"} HTTP/1.1\r\nHost: t\r\n\r\n':
            wire.send(bytes([byte]))
        assert wire.answer().json()["query"] == {"f": '{"a":"<1>"}'}


def test_a_query_that_grows_beyond_a_read_arrives_whole(server: ServerProcess) -> None:
    with server.wire() as wire:
        for _ in range(2):
            wire.send(b"GET /plain?f=" + b'"' * 20_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n")
            assert wire.answer().json()["query"] == {"f": '"' * 20_000}


def test_a_query_that_is_too_long_once_encoded_is_a_431_over_http2(secure: ServerProcess) -> None:
    with secure.http2(validate=False) as connection:
        assert connection.ask("GET", b"/plain?" + b'"' * 22_000).status == 431
        query = connection.ask("GET", b"/plain?f=" + b'"' * 20_000).json()["query"]
        assert query == {"f": '"' * 20_000}, "and the connection goes on"


def test_a_query_that_is_too_long_once_encoded_is_a_431(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.send_until_refused(b"GET /plain?f=" + b'"' * 60_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        assert wire.answer().status == 431


@versions
@pytest.mark.parametrize("target", [b"/pl<ain", b"/plain>?a=1", b"/`", b"/pl\xe9ain", b"/plain?a=\x01", b"/plain?a= b"])
def test_a_path_is_as_strict_as_before(secure: ServerProcess, version: str, target: bytes) -> None:
    assert ask(secure, version, target).status == 400


@versions
@pytest.mark.parametrize("target", ['/"a"', "/é", "/a%3Cb"])
def test_a_path_may_hold_what_is_read_as_it_is(secure: ServerProcess, version: str, target: str) -> None:
    answer = ask(secure, version, f"{target}?<".encode())
    assert (answer.status, answer.json()["raw"]) == (200, "%3C")
    assert answer.json()["path"] == unquote(target)


@path
@versions
@pytest.mark.parametrize("fragment", [b"#", b"#a", b"?a=b#c", b"#\xc3\xa9", b"#?a", b'?"#<'])
def test_a_target_with_a_fragment_is_refused(secure: ServerProcess, version: str, path: str, fragment: bytes) -> None:
    answer = ask(secure, version, path.encode() + fragment)
    assert (answer.status, "%23" in answer.text) == (400, True)


@versions
@pytest.mark.parametrize("target", [b"plain", b"#", b"?", b'?"', b'"', b"\xe9/plain"])
def test_a_target_that_does_not_begin_with_a_slash_is_refused(
    secure: ServerProcess, version: str, target: bytes
) -> None:
    assert ask(secure, version, target).status == 400


def test_a_target_that_is_refused_leaves_the_connection_alone(secure: ServerProcess) -> None:
    with secure.http2(validate=False) as connection:
        answer = connection.ask("GET", b"/plain<?a=1")
        assert (answer.status, answer.text) == (
            400,
            "the request target has characters that must be percent-encoded (RFC 3986, section 2)\n",
        )
        assert connection.ask("GET", b'/plain?a="').json()["query"] == {"a": '"'}


@versions
def test_a_refused_target_has_a_line_in_the_access_log(script: Path, tmp_path: Path, version: str) -> None:
    with ServerProcess(script, env={**tls_variables(tmp_path), "SLIME_ACCESS_LOG": "1"}) as server:
        server.wait_until_serving()
        assert ask(server, version, b"/plain<").status == 400
        server.wait_for_output(r"slimeweb.access: .* 400 ")
