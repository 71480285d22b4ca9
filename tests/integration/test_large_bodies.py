"""Request bodies of a size that is read straight into the object that the handler gets."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.certificate import tls_variables
from support.condition import eventually
from support.footprint import resident_memory
from support.process import ServerProcess

KIB = 1024
SIZES = [256 * KIB - 1, 256 * KIB, 1024 * KIB + 1, 3 * 1024 * KIB, 16 * 1024 * KIB + 1]
APP = """
import hashlib
from slimeweb import Slime

app = Slime(__file__)


def digest(req):
    return {"length": len(req.body), "sha256": hashlib.sha256(req.body).hexdigest(), "same": req.body is req.bytes}


@app.route(path="/plain", method="POST", body_size=64 * 1024 * 1024)
def plain(req, resp):
    return digest(req)


@app.route(path="/coroutine", method="POST", body_size=64 * 1024 * 1024)
async def coroutine(req, resp):
    return digest(req)


@app.route(path="/chunks", method="POST", body_size=64 * 1024 * 1024)
def chunks(req, resp):
    hashed = hashlib.sha256()
    for piece in req.chunks():
        hashed.update(piece)
    return {"length": len(req.body), "sha256": hashed.hexdigest(), "same": True}


DATA = bytes(range(256)) * 40_960


TEXTS = {"ascii": "0123456789abcdef" * 655_360, "utf-8": "é" * 5_242_880}


@app.route(path="/big/bytes")
def big(req, resp):
    return resp.bytes(DATA)


@app.route(path="/big/plain/{name}")
def big_text(req, resp):
    return resp.plain(TEXTS[req.params["name"]])


@app.route(path="/big/html/{name}")
async def big_page(req, resp):
    return resp.html(TEXTS[req.params["name"]])


@app.route(path="/big/returned/{name}")
def returned(req, resp):
    return TEXTS[req.params["name"]]


@app.route(path="/small", method="POST", body_size=300 * 1024)
def small(req, resp):
    return digest(req)


app.serve()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("large")
    script = folder / "main.py"
    script.write_text(APP)
    with ServerProcess(script, env=tls_variables(folder)) as process:
        yield process.wait_until_serving()


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("route", ["/plain", "/coroutine", "/chunks"])
@pytest.mark.parametrize("size", SIZES)
def test_a_large_body_arrives_as_it_was_sent(server: ServerProcess, size: int, route: str, version: str) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    answer = server.ask(
        route, "POST", headers={"Content-Length": str(size)} if version == "2" else None, body=body, version=version
    )
    assert answer.json() == {"length": size, "sha256": hashlib.sha256(body).hexdigest(), "same": True}


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_one_that_is_larger_than_its_route_allows_is_refused(server: ServerProcess, version: str) -> None:
    with_length = {"Content-Length": str(300 * KIB + 1)} if version == "2" else None
    answer = server.ask("/small", "POST", headers=with_length, body=b"x" * (300 * KIB + 1), version=version)
    assert answer.status == 400
    assert server.ask("/small", "POST", body=b"x" * 300 * KIB, version=version).json()["length"] == 300 * KIB


@pytest.mark.parametrize("sent", [0, 100, 700 * KIB])
@pytest.mark.parametrize("route", ["/plain", "/coroutine"])
def test_clients_that_pause_in_a_large_body_keep_no_other_one_from_being_read(
    server: ServerProcess, route: str, sent: int
) -> None:
    body = os.urandom(1024 * KIB)
    head = f"POST {route} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with ExitStack() as stack:
        paused = [stack.enter_context(server.wire()) for _ in range(20)]
        for wire in paused:
            wire.send(head + body[:sent])
        for version in ("1.1", "2"):
            for _ in range(4):
                assert server.ask(route, "POST", body=body, version=version).json()["length"] == len(body)
        for wire in paused:
            wire.send(body[sent:])
        for wire in paused:
            assert wire.answer().json()["sha256"] == hashlib.sha256(body).hexdigest()


def test_what_was_kept_for_a_client_that_left_is_given_back(server: ServerProcess) -> None:
    for _ in range(3):
        server.ask("/plain", "POST", body=b"x" * 8 * 1024 * KIB)
    before = resident_memory(server.pid)
    for _ in range(40):
        with server.wire() as wire:
            wire.send(b"POST /plain HTTP/1.1\r\nHost: t\r\nContent-Length: 8388608\r\n\r\n" + b"x" * 4 * 1024 * KIB)
    # 40 halves of 8 MiB are 160 MiB.
    eventually(lambda: resident_memory(server.pid) < before + 80 * 1024 * KIB)


def read_heads(server: ServerProcess, version: str, target: str) -> ExitStack:
    """200 clients that read the head of a response of 10 MB, and nothing of its body."""
    stack = ExitStack()
    if version == "2":
        connection = stack.enter_context(server.http2(reads=False))
        streams = [connection.begin("GET", target) for _ in range(200)]
        assert {connection.head(stream) for stream in streams} == {200}
        return stack
    for _ in range(200):
        wire = stack.enter_context(server.wire())
        wire.request("GET", target)
        assert wire.exactly(12) == b"HTTP/1.1 200"
    return stack


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("target", ["/big/bytes", "/big/plain/ascii", "/big/html/utf-8", "/big/returned/ascii"])
def test_responses_that_are_not_read_share_one_object(server: ServerProcess, version: str, target: str) -> None:
    assert len(server.ask(target, version=version).body) == 10 * 1024 * KIB
    before = resident_memory(server.pid)
    with read_heads(server, version, target):
        assert resident_memory(server.pid) < before + 100 * 1024 * KIB


def test_text_json_and_forms_are_read_from_a_large_body() -> None:
    app = Slime(__file__)

    @app.route(path="/json", method="POST")
    def as_json(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        return {"items": len(req.json), "text": len(req.text)}

    @app.route(path="/form", method="POST")
    async def as_form(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        return {"length": len(req.form["field"])}

    text = json.dumps([str(number) for number in range(100_000)])
    with TestClient(app) as client:
        answer = client.post("/json", content=text, headers={"Content-Type": "application/json"})
        assert answer.json() == {"items": 100_000, "text": len(text)}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/form", content=b"field=" + b"x" * 600_000, headers=form).json() == {"length": 600_000}


def test_a_loop_that_is_kept_does_not_keep_a_large_body_from_a_plain_handler(tmp_path: Path) -> None:
    app = Slime(__file__)
    entered, release = threading.Event(), threading.Event()

    @app.route(path="/keep")
    async def keep(req: SlimeRequest, resp: SlimeResponse) -> str:
        entered.set()
        return str(release.wait(60))

    @app.route(path="/length", method="POST", blocking=True)
    def length(req: SlimeRequest, resp: SlimeResponse) -> str:
        return str(len(req.body))

    with TestClient(app, workers=1) as client:
        kept = threading.Thread(target=client.get, args=("/keep",))
        kept.start()
        try:
            assert entered.wait(30)
            assert client.post("/length", content=b"x" * 1024 * KIB).text == str(1024 * KIB)
        finally:
            release.set()
            kept.join()
