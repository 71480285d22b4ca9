"""Refusals while the client still sends, clients that end their side, and heads and trailers that are wrong."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.certificate import tls_variables
from support.process import ServerProcess
from support.tools import tool
from support.wire import Wire

MIB = 1024 * 1024
APP = """
import asyncio
import threading
import time
from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/plain", method="POST", body_size=1000)
def plain(req, resp):
    return str(len(req.body))


@app.route(path="/coroutine", method="POST", body_size=1000)
async def coroutine(req, resp):
    return str(len(req.body))


@app.route(path="/large", method="POST", body_size=10 * 1024 * 1024)
def large(req, resp):
    return str(len(req.body))


@app.route(path="/get")
async def get(req, resp):
    await asyncio.sleep(0.05)
    return "got"


@app.route(path="/slow/plain")
def slow(req, resp):
    time.sleep(0.05)
    return "got"


@app.route(path="/hold", method="POST", stream_body=True, body_size=64 * 1024 * 1024)
async def hold(req, resp):
    await app.held.wait()
    return "held"


@app.route(path="/busy", method=["GET", "POST"], stream_body=True, body_size=64 * 1024 * 1024, blocking=True)
def busy(req, resp):
    print("a handler is held", flush=True)
    threading.Event().wait(600)


class Protocol:
    def connection_made(self, transport): ...
    def data_received(self, data): ...
    def eof_received(self): ...
    def pause_writing(self): ...
    def resume_writing(self): ...
    def connection_lost(self, exc): ...


@app.route(path="/switch/plain", method="POST", stream_body=True, body_size=64 * 1024 * 1024)
def switch(req, resp):
    resp.switch_protocol(Protocol(), [("Upgrade", "toy/1")])


@app.route(path="/switch/coroutine", method="POST", stream_body=True, body_size=64 * 1024 * 1024)
async def switch_async(req, resp):
    resp.switch_protocol(Protocol(), [("Upgrade", "toy/1")])


@app.websocket(path="/socket")
def socket(req, resp): ...


@app.start()
async def begin():
    app.held = asyncio.Event()


app.serve()
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("refusals") / "main.py"
    script.write_text(APP)
    return script


@pytest.fixture(scope="module")
def secure(script: Path) -> Iterator[ServerProcess]:
    with ServerProcess(script, env=tls_variables(script.parent), workers=1) as process:
        yield process.wait_until_serving()
        process.kill()


@pytest.fixture(scope="module")
def narrow(script: Path) -> Iterator[ServerProcess]:
    """One that takes smaller heads than curl can send over HTTP/2."""
    with ServerProcess(script, env={**tls_variables(script.parent), "SLIME_HEAD_SIZE": "20000"}) as process:
        yield process.wait_until_serving()


@pytest.fixture(scope="module")
def roomy(script: Path) -> Iterator[ServerProcess]:
    """One that takes heads which are larger than the longest target."""
    with ServerProcess(script, env={**tls_variables(script.parent), "SLIME_HEAD_SIZE": "100000"}) as process:
        yield process.wait_until_serving()


@pytest.fixture(scope="module")
def server(script: Path) -> Iterator[ServerProcess]:
    with ServerProcess(script) as process:
        yield process.wait_until_serving()


@pytest.fixture(scope="module")
def full(script: Path) -> Iterator[ServerProcess]:
    """A server whose only thread is taken, and all places in the queue for it."""
    env = {**tls_variables(script.parent), "SLIME_POOL_THREADS": "1", "SLIME_WORKER_QUEUE_SIZE": "1"}
    with ServerProcess(script, env=env, workers=1) as process, ExitStack() as stack:
        process.wait_until_serving()
        stack.callback(process.kill)
        stack.enter_context(process.wire()).request("GET", "/busy")
        process.wait_for_output("a handler is held")
        while True:
            # Either it waits in the queue, where its answer does not come, or it is refused since another one does.
            wire = stack.enter_context(process.wire(timeout=1))
            wire.request("GET", "/busy")
            try:
                assert wire.answer().status == 503
            except TimeoutError:
                continue
            break
        yield process


def assert_curl_sees(status: int, url: str, *options: str, body: Path, rounds: int) -> None:
    body.write_bytes(bytes(30 * MIB))
    for _ in range(rounds):
        command = [tool("curl"), "-sSk", "--max-time", "30", "-H", "Expect:", "--data-binary", f"@{body}"]
        done = subprocess.run(
            [*command, *options, "-o", "/dev/null", "-w", "%{http_code} %{size_download}", url],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        seen, _, size = done.stdout.partition(" ")
        assert (seen, done.returncode) == (str(status), 0), done.stderr
        assert size != "0"


rounds = pytest.mark.parametrize("rounds", [5, pytest.param(20, marks=pytest.mark.slow)])
option = pytest.mark.parametrize("option", ["--http1.1", "--http2"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/plain", 400),
        ("POST", "/coroutine", 400),
        ("POST", "/none", 404),
        ("POST", "/get", 405),
        ("GET", "/static/none.txt", 404),
        ("POST", "/static/none.txt", 404),
        ("POST", "/switch/plain", 426),
        ("POST", "/switch/coroutine", 426),
        ("GET", "/socket", 400),
    ],
)
@option
@rounds
def test_a_client_that_still_sends_sees_why_it_was_refused(
    secure: ServerProcess, tmp_path: Path, rounds: int, option: str, method: str, path: str, status: int
) -> None:
    assert_curl_sees(status, secure.url + path, option, "-X", method, body=tmp_path / "body", rounds=rounds)


@option
@rounds
def test_a_client_that_still_sends_sees_that_the_server_is_full(
    full: ServerProcess, tmp_path: Path, rounds: int, option: str
) -> None:
    assert_curl_sees(503, full.url + "/busy", option, body=tmp_path / "body", rounds=rounds)


@option
@rounds
def test_a_client_that_still_sends_sees_that_its_head_is_too_large(
    narrow: ServerProcess, tmp_path: Path, rounds: int, option: str
) -> None:
    field = tmp_path / "field"
    field.write_text("X-Large: " + "x" * 40_000)
    assert_curl_sees(431, narrow.url + "/get", option, "-H", f"@{field}", body=tmp_path / "body", rounds=rounds)


@rounds
def test_a_client_that_still_sends_sees_that_its_target_is_too_long(
    roomy: ServerProcess, tmp_path: Path, rounds: int
) -> None:
    url = f"{roomy.url}/get?{'x' * 66_000}"
    assert_curl_sees(414, url, "--http1.1", body=tmp_path / "body", rounds=rounds)


def test_a_client_that_reads_after_it_has_sent_all_sees_it_too(server: ServerProcess) -> None:
    for _ in range(10):
        connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
        connection.request("POST", "/large", body=bytes(11 * MIB))
        assert connection.getresponse().status == 400
        connection.close()


@pytest.mark.parametrize("path", ["/get", "/slow/plain", "/none"])
def test_a_client_that_ends_its_side_gets_its_answers(server: ServerProcess, path: str) -> None:
    with server.wire() as wire:
        wire.send(
            b"GET "
            + path.encode()
            + b" HTTP/1.1\r\nHost: t\r\n\r\n"
            + b"GET "
            + path.encode()
            + b" HTTP/1.1\r\nHost: t\r\n\r\n"
        )
        wire.socket.shutdown(socket.SHUT_WR)
        assert [wire.answer().text for _ in range(2)] == (["got"] * 2 if path != "/none" else ["Not Found"] * 2)
        assert wire.is_at_end()


@pytest.mark.parametrize("trailers", [b"X: y\n\r\n", b"\n", b"X: y\n\n", b"A: b\r\nX: y\nGET / HTTP/1.1\r\n\r\n"])
def test_a_trailer_that_ends_in_a_bare_line_feed_is_refused(server: ServerProcess, trailers: bytes) -> None:
    with server.wire() as wire:
        head = b"POST /plain HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.send(head + b"1\r\nx\r\n0\r\n" + trailers)
        assert wire.answer().status == 400
        assert wire.is_closed_by_server()


def test_trailers_as_they_should_be_keep_the_connection(server: ServerProcess) -> None:
    with server.wire() as wire:
        head = b"POST /plain HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(2):
            wire.send(head + b"1\r\nx\r\n0\r\nX: y\r\nZ: a\r\n\r\n")
            assert wire.answer().text == "1"


@pytest.mark.parametrize(
    ("pseudo", "headers", "status"),
    [
        ({":authority": "u@x"}, {}, 400),
        ({":authority": None}, {}, 400),
        ({":authority": None}, {"host": "x"}, 200),
        ({":scheme": "ftp"}, {}, 400),
        ({":scheme": "http"}, {}, 200),
        ({":scheme": "HTTPS"}, {}, 200),
        ({":scheme": "http", ":authority": "x"}, {"host": "x:80"}, 200),
        ({":scheme": "http", ":authority": "x"}, {"host": "x:443"}, 400),
        ({":authority": "x:"}, {"host": "x"}, 200),
        ({":path": "?a=/"}, {}, 400),
        ({":authority": "x:443"}, {"host": "x"}, 200),
        ({":authority": "x"}, {"host": "X:443"}, 200),
        ({":authority": "x"}, {"host": "y"}, 400),
        ({":authority": "x:80"}, {"host": "x"}, 400),
    ],
)
def test_targets_over_http2_have_the_rules_of_http1(
    secure: ServerProcess, pseudo: dict[str, str | None], headers: dict[str, str], status: int
) -> None:
    with secure.http2(validate=False) as connection:
        assert connection.ask("GET", "/get", pseudo=pseudo, headers=headers).status == status


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("query", ["{}", "|", "^", "`", "[]", "é", '"', "<", ">"])
def test_queries_may_hold_what_browsers_do_not_encode(secure: ServerProcess, query: str, version: str) -> None:
    assert secure.ask(f"/get?a={query}", version=version).text == "got"


def test_streams_that_nobody_reads_leave_other_streams_their_window(secure: ServerProcess) -> None:
    with secure.http2() as connection:
        for _ in range(8):
            held = connection.begin("POST", "/hold", end=False)
            while connection.h2.local_flow_control_window(held):
                size = min(connection.h2.local_flow_control_window(held), connection.h2.max_outbound_frame_size)
                connection.h2.send_data(held, bytes(size))
                connection.flush()
        other = connection.begin("POST", "/large", end=False)
        connection.send(other, bytes(3 * MIB), end=True)
        assert connection.answer(other).text == str(3 * MIB)


def test_idle_connections_may_ask_once_more_while_the_server_shuts_down(script: Path) -> None:
    with ServerProcess(script, workers=1) as process:
        process.wait_until_serving()
        wires: list[Wire] = [process.wire() for _ in range(4)]
        for wire in wires[:2]:
            wire.request("GET", "/none")
            wire.answer()
        # One that is being answered tells when the listener has closed.
        with process.wire() as busy:
            busy.request("GET", "/slow/plain")
            process.send_signal(signal.SIGTERM)
            busy.answer()
        for wire in wires:
            wire.request("GET", "/get")
            answer = wire.answer()
            assert (answer.text, answer.header("connection")) == ("got", "close")
            assert wire.is_at_end()
            wire.close()
        assert process.wait() == 0
