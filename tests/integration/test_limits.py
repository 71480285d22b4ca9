"""Limits on what a request may hold: each is a setting, and counts over both versions of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import multipart
from support.certificate import tls_variables
from support.footprint import peak_memory, resident_memory
from support.process import ServerProcess
from support.wire import Answer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": multipart.CONTENT_TYPE}
MIB = 1024 * 1024
APP = """
from slimeweb import Slime

app = Slime(__file__)

@app.route("/fields")
def fields(req, resp):
    return {"count": len(list(req.header))}

@app.route("/plain/form", method="POST")
def plain(req, resp):
    return {name: len(req.form_all(name)) for name in req.form} | {"files": len(req.file)}

@app.route("/coroutine/form", method="POST")
async def coroutine(req, resp):
    return {name: len(req.form_all(name)) for name in req.form} | {"files": len(req.file)}

@app.route("/plain/body", method="POST", body_size=1000)
def plain_body(req, resp):
    return str(len(req.text or ""))

@app.route("/coroutine/body", method="POST", body_size=1000)
async def coroutine_body(req, resp):
    return str(len(req.text or ""))

@app.route("/plain/pieces", method="POST", body_size=1000, stream_body=True)
def plain_pieces(req, resp):
    return str(sum(len(piece) for piece in req.chunks()))

@app.route("/coroutine/pieces", method="POST", body_size=1000, stream_body=True)
async def coroutine_pieces(req, resp):
    return str(sum([len(piece) async for piece in req.chunks()]))

app.serve()
"""

version = pytest.mark.parametrize("version", ["1.1", "2"])
kind = pytest.mark.parametrize("kind", ["plain", "coroutine"])


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return tls_variables(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("limits") / "main.py"
    path.write_text(APP)
    return path


@pytest.fixture(scope="module")
def usual(script: Path, tls: dict[str, str]) -> Iterator[ServerProcess]:
    """With the limits that are there when nothing is set."""
    with ServerProcess(script, env=tls) as server:
        yield server.wait_until_serving()


@pytest.fixture(scope="module")
def tight(script: Path, tls: dict[str, str]) -> Iterator[ServerProcess]:
    limits = {
        "SLIME_FORM_FIELDS": "3",
        "SLIME_FORM_PARTS": "3",
        "SLIME_FORM_FIELD_SIZE": "100",
        "SLIME_HEADER_COUNT": "10",
    }
    with ServerProcess(script, env=tls | limits) as server:
        yield server.wait_until_serving()


@pytest.fixture(scope="module")
def loose(script: Path, tls: dict[str, str]) -> Iterator[ServerProcess]:
    limits = {
        "SLIME_FORM_FIELDS": "20000",
        "SLIME_FORM_PARTS": "2000",
        "SLIME_FORM_FIELD_SIZE": str(4 * MIB),
        "SLIME_HEADER_COUNT": "500",
    }
    with ServerProcess(script, env=tls | limits) as server:
        yield server.wait_until_serving()


def with_fields(server: ServerProcess, count: int, version: str) -> Answer:
    """One request of `count` header fields, Host included where it is a field."""
    headers = {f"X-{number}": "1" for number in range(count if version == "2" else count - 1)}
    if version == "2":
        return server.ask("/fields", headers=headers, version="2")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with server.wire() as wire:
        wire.send(f"GET /fields HTTP/1.1\r\nHost: t\r\n{lines}\r\n".encode())
        return wire.answer()


@version
def test_as_many_header_fields_as_header_count_says_are_taken_and_no_more(
    usual: ServerProcess, tight: ServerProcess, loose: ServerProcess, version: str
) -> None:
    for server, limit in ((usual, 100), (tight, 10), (loose, 500)):
        assert with_fields(server, limit, version).status == 200
        assert with_fields(server, limit + 1, version).status == 431


def test_cookies_that_http2_sends_apart_count_as_one_field(tight: ServerProcess) -> None:
    with tight.http2(validate=False) as connection:
        stream = connection.h2.get_next_available_stream_id()
        connection.events[stream] = []
        head = [(":method", "GET"), (":path", "/fields"), (":scheme", "https"), (":authority", "localhost")]
        connection.h2.send_headers(stream, [*head, *(("cookie", f"a{n}=1") for n in range(50))], end_stream=True)
        connection.flush()
        assert connection.answer(stream).status == 200


@version
@kind
def test_a_urlencoded_form_has_no_more_fields_than_form_fields(tight: ServerProcess, version: str, kind: str) -> None:
    taken = tight.ask(f"/{kind}/form", "POST", headers=FORM, body=b"a&&&b=1&a", version=version)
    assert taken.json() == {"a": 2, "b": 1, "files": 0}
    refused = tight.ask(f"/{kind}/form", "POST", headers=FORM, body=b"a&b&c&d", version=version)
    assert (refused.status, "form_fields" in refused.text) == (400, True)


@version
@kind
def test_a_multipart_form_has_no_more_parts_than_form_parts(tight: ServerProcess, version: str, kind: str) -> None:
    for count, status in ((3, 200), (4, 400)):
        parts = [multipart.field("a", "1"), *(multipart.file("f", "x", b"1") for _ in range(count - 1))]
        answer = tight.ask(f"/{kind}/form", "POST", headers=MULTIPART, body=multipart.body(parts), version=version)
        assert answer.status == status
        assert status == 200 or "form_parts" in answer.text


@version
@kind
def test_the_text_of_a_multipart_form_is_no_longer_than_form_field_size(
    tight: ServerProcess, version: str, kind: str
) -> None:
    for size, status in ((99, 200), (100, 400)):
        parts = [multipart.field("a", "x" * size), multipart.file("f", "x", b"y" * 1000)]
        answer = tight.ask(f"/{kind}/form", "POST", headers=MULTIPART, body=multipart.body(parts), version=version)
        assert answer.status == status
        assert status == 200 or "form_field_size" in answer.text


def test_every_form_limit_can_be_raised(loose: ServerProcess) -> None:
    fields = loose.ask("/plain/form", "POST", headers=FORM, body=b"&".join([b"a"] * 20_000))
    assert fields.json() == {"a": 20_000, "files": 0}
    parts = multipart.body([multipart.field("a", "")] * 2000)
    assert loose.ask("/plain/form", "POST", headers=MULTIPART, body=parts).json() == {"a": 2000, "files": 0}
    text = multipart.body([multipart.field("a", "x" * 3 * MIB)])
    assert loose.ask("/plain/form", "POST", headers=MULTIPART, body=text).json() == {"a": 1, "files": 0}


def test_a_form_of_millions_of_fields_takes_little_more_memory_than_its_bytes(usual: ServerProcess) -> None:
    assert usual.ask("/plain/form", "POST", headers=FORM, body=b"a").status == 200
    before = resident_memory(usual.pid)
    assert usual.ask("/plain/form", "POST", headers=FORM, body=b"a&" * (4 * MIB), timeout=60).status == 400
    assert peak_memory(usual.pid) - before < 40 * MIB


def announced(body: bytes) -> tuple[dict[str, str], bytes]:
    return {"Content-Length": str(len(body))}, body


def chunked(body: bytes) -> tuple[dict[str, str], bytes]:
    return {"Transfer-Encoding": "chunked"}, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@kind
@pytest.mark.parametrize("reading", ["body", "pieces"])
@pytest.mark.parametrize("content", ["text", "form", "multipart"])
@pytest.mark.parametrize("expects", [False, True], ids=["at once", "with Expect"])
@pytest.mark.parametrize("framed", [announced, chunked])
def test_a_body_over_its_limit_is_a_400_however_it_comes(
    usual: ServerProcess, kind: str, reading: str, content: str, expects: bool, framed: Callable[..., Any]
) -> None:
    body, headers = content_of(content)
    framing, sent = framed(body)
    if expects:
        framing["Expect"] = "100-continue"
    with usual.wire() as wire:
        wire.request("POST", f"/{kind}/{reading}", headers={**headers, **framing})
        if not expects:
            wire.send(sent)
        answer = wire.next_answer()
        if answer.status == 100:
            wire.send(sent)
            answer = wire.next_answer()
    assert (answer.status, "larger than the 1000 bytes" in answer.text) == (400, True)


@kind
@pytest.mark.parametrize("reading", ["body", "pieces"])
@pytest.mark.parametrize("content", ["text", "form", "multipart"])
@pytest.mark.parametrize("with_length", [True, False])
def test_a_body_over_its_limit_is_a_400_over_http2(
    usual: ServerProcess, kind: str, reading: str, content: str, with_length: bool
) -> None:
    body, headers = content_of(content)
    length = {"Content-Length": str(len(body))} if with_length else {}
    answer = usual.ask(f"/{kind}/{reading}", "POST", headers={**headers, **length}, body=body, version="2")
    assert (answer.status, "larger than the 1000 bytes" in answer.text) == (400, True)


def content_of(content: str) -> tuple[bytes, dict[str, str]]:
    """A body of more than 1000 bytes, and what it is."""
    if content == "multipart":
        return multipart.body([multipart.field("text", "x" * 1001)]), MULTIPART
    if content == "form":
        return b"text=" + b"x" * 1001, FORM
    return b"x" * 1001, {"Content-Type": "text/plain"}
