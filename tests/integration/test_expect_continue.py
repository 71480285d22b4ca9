"""`Expect: 100-continue`: middleware that answers by the head alone costs no upload (RFC 9110, section 10.1.1)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.certificate import tls_variables
from support.condition import eventually
from support.multipart import CONTENT_TYPE, file
from support.multipart import body as multipart
from support.process import ServerProcess
from support.tools import tool
from support.wire import Answer, Wire

MIB = 1024 * 1024
APP = """
import asyncio
from slimeweb import HttpError, Slime
from slimeweb.middleware import SlimeMiddleware

app = Slime(__file__)


class Token(SlimeMiddleware):
    def middle_before(self, req, resp):
        if req.header.get("authorization") is None:
            return resp.json({"error": "no token"}, status=401)

    def middle_after(self, req, resp):
        resp.set_header("X-After", str(resp.status))


class AsyncToken(SlimeMiddleware):
    async def middle_before(self, req, resp):
        await asyncio.sleep(0)
        if req.header.get("authorization") is None:
            return resp.json({"error": "no token"}, status=401)

    async def middle_after(self, req, resp):
        resp.set_header("X-After", str(resp.status))


class Raising(SlimeMiddleware):
    def middle_before(self, req, resp):
        if req.header.get("authorization") is None:
            raise HttpError(401, "no token")

    def middle_after(self, req, resp):
        resp.set_header("X-After", str(resp.status))


class Reading(SlimeMiddleware):
    def middle_before(self, req, resp):
        resp.set_header("X-Read", str(len(req.body)))


@app.error(HttpError)
def failed(req, resp, exc):
    return resp.json({"error": exc.detail, "status": exc.status})


def seen(req):
    files = [[file.field, file.file_size] for file in req.file] if "multipart" in req.header["content-type"] else []
    return {"length": len(req.body), "sum": sum(req.body[::4096]), "files": files}


def declare(path, plugin, **options):
    @app.route(path + "/plain", method="POST", plugin=plugin, **options)
    def plain(req, resp):
        return seen(req)

    @app.route(path + "/coroutine", method="POST", plugin=plugin, **options)
    async def coroutine(req, resp):
        return seen(req)


declare("/token", [Token()], body_size=300 * 1024 * 1024)
declare("/raising", [Raising()], body_size=300 * 1024 * 1024)
declare("/small", [Token()], body_size=1000)
declare("/reading", [Reading()], body_size=300 * 1024 * 1024)


@app.route("/token/async", method="POST", plugin=[AsyncToken()], body_size=300 * 1024 * 1024)
async def token_async(req, resp):
    return seen(req)


@app.route("/stuck", method="POST", plugin=[Reading()])
async def stuck(req, resp):
    return str(len(req.body))


@app.route("/chunks/plain", method="POST", stream_body=True, body_size=300 * 1024 * 1024)
def chunks(req, resp):
    if req.header.get("authorization") is None:
        return resp.json({"error": "no token"}, status=401)
    return {"length": sum(len(piece) for piece in req.chunks())}


@app.route("/chunks/coroutine", method="POST", stream_body=True, body_size=300 * 1024 * 1024)
async def chunks_async(req, resp):
    if req.header.get("authorization") is None:
        return resp.json({"error": "no token"}, status=401)
    length = 0
    async for piece in req.chunks():
        length += len(piece)
    return {"length": length}


@app.route("/ping", blocking=True)
def ping(req, resp):
    return "pong"


@app.route("/ping/coroutine")
async def ping_async(req, resp):
    return "pong"


app.serve()
"""
TOKEN = {"Authorization": "token", "Content-Type": "application/octet-stream"}
EXPECT = {"Expect": "100-continue"}
GUARDED = ["/token/plain", "/token/coroutine", "/token/async", "/raising/plain", "/raising/coroutine"]
CHUNKS = ["/chunks/plain", "/chunks/coroutine"]
version = pytest.mark.parametrize("version", ["1.1", "2"])
variant = pytest.mark.parametrize("variant", ["plain", "coroutine"])


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("expect") / "main.py"
    script.write_text(APP)
    return script


@pytest.fixture(scope="module")
def server(script: Path) -> Iterator[ServerProcess]:
    env = {**tls_variables(script.parent), "SLIME_BODY_TIMEOUT": "2"}
    with ServerProcess(script, env=env) as server:
        yield server.wait_until_serving()


def content(size: int) -> bytes:
    return bytes(range(256)) * (size // 256)


def seen(body: bytes) -> dict[str, object]:
    return {"length": len(body), "sum": sum(body[::4096]), "files": []}


def upload(wire: Wire, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Sends `body` once the server asks for it."""
    wire.request("POST", path, headers={**headers, **EXPECT, "Content-Length": str(len(body))})
    assert wire.next_answer().status == 100
    wire.send(body)
    return wire.next_answer(to="POST")


@version
@pytest.mark.parametrize("path", [*GUARDED, *CHUNKS])
def test_middleware_that_refuses_by_the_head_is_not_sent_the_body(
    server: ServerProcess, path: str, version: str
) -> None:
    headers = {**EXPECT, "Content-Length": str(200 * MIB)}
    if version == "2":
        with server.http2() as connection:
            stream = connection.begin("POST", path, headers=headers, end=False)
            answer = connection.answer(stream)
    else:
        with server.wire() as wire:
            wire.request("POST", path, headers=headers)
            answer = wire.next_answer()
            assert answer.header("connection") == "close"
            assert wire.is_closed_by_server()
    assert (answer.status, answer.json()["error"]) == (401, "no token")
    # The after of a before that raised does not run, and handlers of streamed bodies refuse themselves.
    assert answer.header("x-after") == ("401" if path.startswith("/token") else None)


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/token/plain", 401),
        ("/token/coroutine", 401),
        ("/chunks/plain", 401),
        ("/chunks/coroutine", 401),
        ("/small/plain", 400),
        ("/none", 404),
        ("/ping", 405),
    ],
)
def test_curl_does_not_send_a_large_file_that_is_refused_by_the_head(
    server: ServerProcess, tmp_path: Path, path: str, status: int, option: str
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as sparse:
        sparse.truncate(200 * MIB)
    command = [tool("curl"), "-sSk", option, "--max-time", "30", "-X", "POST", "-T", str(large)]
    command += ["-H", "Expect: 100-continue", "--expect100-timeout", "20", "-o", "/dev/null"]
    command += ["-w", "%{http_code} %{size_upload}", server.url + path]
    if path == "/small/plain":
        command += ["-H", "Authorization: token"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answered, sent = map(int, done.stdout.split())
    assert answered == status
    # Over HTTP/2 curl does not wait, and sends until it sees the answer.
    assert sent == 0 if option == "--http1.1" else sent < 200 * MIB


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize("size", [256, 3 * MIB])
def test_a_body_that_middleware_lets_pass_is_asked_for_and_arrives_whole(
    server: ServerProcess, path: str, size: int
) -> None:
    with server.wire() as wire:
        for _ in range(2):
            answer = upload(wire, path, content(size), TOKEN)
            assert (answer.status, answer.json(), answer.header("x-after")) == (200, seen(content(size)), "200")
        # What does not expect anything goes the usual way.
        wire.request("POST", path, headers=TOKEN, body=content(size))
        assert wire.next_answer().json() == seen(content(size))


@pytest.mark.parametrize("path", CHUNKS)
def test_a_streamed_body_is_asked_for_when_the_handler_reads_it(server: ServerProcess, path: str) -> None:
    with server.wire() as wire:
        for _ in range(2):
            assert upload(wire, path, content(3 * MIB), TOKEN).json() == {"length": 3 * MIB}


@pytest.mark.parametrize("path", [*GUARDED, *CHUNKS])
def test_a_client_that_expects_a_100_over_http2_gets_its_answer_though_none_comes(
    server: ServerProcess, path: str
) -> None:
    body = content(3 * MIB)
    answer = server.ask(path, "POST", headers={**TOKEN, **EXPECT}, body=body, version="2")
    assert (answer.status, answer.json()["length"]) == (200, len(body))


@variant
def test_a_client_that_does_not_wait_for_the_100_keeps_its_connection(server: ServerProcess, variant: str) -> None:
    with server.wire() as wire:
        for _ in range(2):
            wire.request("POST", f"/token/{variant}", headers={**TOKEN, **EXPECT}, body=content(MIB))
            assert wire.answer().json() == seen(content(MIB))


@variant
def test_a_chunked_body_is_asked_for_and_arrives_whole(server: ServerProcess, variant: str) -> None:
    with server.wire() as wire:
        headers = {**TOKEN, **EXPECT, "Transfer-Encoding": "chunked"}
        wire.request("POST", f"/token/{variant}", headers=headers)
        assert wire.next_answer().status == 100
        wire.send(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        assert wire.next_answer().json() == seen(b"hello world")
        wire.request("POST", f"/token/{variant}", headers=TOKEN, body=b"again")
        assert wire.next_answer().json() == seen(b"again")


@variant
def test_an_upload_is_asked_for_and_stored(server: ServerProcess, variant: str) -> None:
    body = multipart([file("f", "a.bin", content(MIB))])
    headers = {**TOKEN, "Content-Type": CONTENT_TYPE}
    with server.wire() as wire:
        answer = upload(wire, f"/token/{variant}", body, headers)
        assert answer.json()["files"][0][1] == MIB


@version
@variant
def test_middleware_that_reads_the_body_gets_it(server: ServerProcess, variant: str, version: str) -> None:
    body = content(3 * MIB)
    for _ in range(2):
        if version == "2":
            answer = server.ask(f"/reading/{variant}", "POST", headers={**TOKEN, **EXPECT}, body=body, version="2")
        else:
            with server.wire() as wire:
                answer = upload(wire, f"/reading/{variant}", body, TOKEN)
        assert (answer.json(), answer.header("x-read")) == (seen(body), str(len(body)))


FAULTS = {
    "too large": (b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n", 400),
    "malformed": (b"nonsense\r\n", 400),
    "too slow": (b"5\r\nhel", 408),
}


@variant
@pytest.mark.parametrize("fault", FAULTS)
def test_a_body_that_fails_after_the_100_goes_through_error_handlers_and_middleware(
    server: ServerProcess, variant: str, fault: str
) -> None:
    sent, status = FAULTS[fault]
    with server.wire() as wire:
        headers = {**TOKEN, **EXPECT, "Transfer-Encoding": "chunked"}
        wire.request("POST", f"/small/{variant}", headers=headers)
        assert wire.next_answer().status == 100
        wire.send(sent)
        answer = wire.next_answer()
        assert (answer.status, answer.json()["status"]) == (status, status)
        assert (answer.header("x-after"), answer.header("connection")) == (str(status), "close")
        assert wire.is_closed_by_server()


@variant
@pytest.mark.parametrize("fault", ["too large", "too slow"])
def test_a_body_that_fails_over_http2_goes_through_error_handlers_and_middleware(
    server: ServerProcess, variant: str, fault: str
) -> None:
    status = FAULTS[fault][1]
    with server.http2() as connection:
        stream = connection.begin("POST", f"/small/{variant}", headers={**TOKEN, **EXPECT}, end=False)
        connection.send(stream, b"x" * (1001 if fault == "too large" else 1))
        answer = connection.answer(stream)
        assert (answer.status, answer.json()["status"]) == (status, status)
        assert answer.header("x-after") == str(status)


@variant
def test_a_malformed_form_after_the_100_goes_through_error_handlers_and_middleware(
    server: ServerProcess, variant: str
) -> None:
    headers = {**TOKEN, "Content-Type": "multipart/form-data; boundary=x"}
    with server.wire() as wire:
        answer = upload(wire, f"/token/{variant}", b"nothing of the kind", headers)
        assert (answer.status, answer.json()["status"], answer.header("x-after")) == (400, 400, "400")


@variant
def test_a_length_over_the_limit_is_refused_before_the_100(server: ServerProcess, variant: str) -> None:
    with server.wire() as wire:
        wire.request("POST", f"/small/{variant}", headers={**TOKEN, **EXPECT, "Content-Length": "1001"})
        answer = wire.next_answer()
        assert (answer.status, answer.json()["status"]) == (400, 400)


def test_clients_that_hold_their_bodies_back_hold_up_nobody_else(script: Path) -> None:
    env = {"SLIME_POOL_THREADS": "2"}
    with ServerProcess(script, env=env, workers=1) as server, ExitStack() as stack:
        server.wait_until_serving()
        wires = [stack.enter_context(server.wire()) for _ in range(150)]
        for number, wire in enumerate(wires):
            path = "/token/coroutine" if number % 2 else "/token/plain"
            wire.request("POST", path, headers={**TOKEN, **EXPECT, "Content-Length": "256"})
        assert [wire.next_answer().status for wire in wires] == [100] * len(wires)
        # Half of them are plain handlers: those that would need more threads than may wait do not have one yet.
        assert server.footprint().threads < 64 + 11
        assert server.ask("/ping").text == "pong"
        assert server.ask("/ping/coroutine").text == "pong"
        for wire in wires:
            wire.send(content(256))
        assert [wire.next_answer().json() for wire in wires] == [seen(content(256))] * len(wires)


def test_middleware_that_reads_the_body_of_a_client_that_does_not_send_keeps_the_loop_once(script: Path) -> None:
    with ServerProcess(script, workers=1) as server:
        server.wait_until_serving()
        with server.wire() as first, server.wire() as second:
            for wire, status in ((first, 503), (second, None)):
                wire.request("POST", "/stuck", headers={**TOKEN, **EXPECT, "Content-Length": "5"})
                assert wire.next_answer().status == 100
                if status is not None:
                    assert wire.next_answer().status == status
            assert server.ask("/ping/coroutine").text == "pong"
            second.send(b"hello")
            assert second.next_answer().text == "5"


@variant
def test_a_client_that_leaves_instead_of_sending_leaves_no_request_behind(server: ServerProcess, variant: str) -> None:
    with server.wire() as wire:
        wire.request("POST", f"/token/{variant}", headers={**TOKEN, **EXPECT, "Content-Length": "256"})
        assert wire.next_answer().status == 100
    eventually(lambda: server.ask("/ping").text == "pong")
    with server.wire() as wire:
        assert upload(wire, f"/token/{variant}", content(256), TOKEN).json() == seen(content(256))
