"""Queries as clients write them, percent-encoded or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificate import tls_variables
from support.process import ServerProcess

APP = """
from slimeweb import Slime

app = Slime(__file__)

def seen(req):
    return {"path": req.path, "query": req.query, "raw": req.query_string, "body": req.text}

@app.route("/plain", method=["GET", "POST"])
def plain(req, resp):
    return seen(req)

@app.route("/coroutine", method=["GET", "POST"])
async def coroutine(req, resp):
    return seen(req)

app.serve()
"""

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


@path
@pytest.mark.parametrize("version", ["1.1", "2"])
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
    with secure.wire() if version == "1.1" else secure.http2() as connection:
        if version == "1.1":
            connection.send(f"GET {path}?{query} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
            answer = connection.answer()
        else:
            answer = connection.ask("GET", f"{path}?{query}")
    assert (answer.status, answer.json()["query"], answer.json()["path"]) == (200, read, path)


@path
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
    server: ServerProcess, path: str, query: bytes, read: dict[str, str]
) -> None:
    with server.wire() as wire:
        wire.send(b"GET " + path.encode() + b"?" + query + b' HTTP/1.1\r\nHost: t\r\nX: ?"<>\r\n\r\n')
        answer = wire.answer()
    assert (answer.status, answer.json()["query"], answer.json()["path"]) == (200, read, path)
    assert not any(byte in answer.json()["raw"] for byte in '"<>')


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


def test_a_query_that_is_too_long_once_encoded_is_a_431(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.send_until_refused(b"GET /plain?f=" + b'"' * 60_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        assert wire.answer().status == 431


@pytest.mark.parametrize("target", ["/pl<ain", "/plain>?a=1", "/`"])
def test_a_path_is_as_strict_as_before(server: ServerProcess, target: str) -> None:
    with server.wire() as wire:
        wire.send(f"GET {target} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        assert wire.answer().status == 400
