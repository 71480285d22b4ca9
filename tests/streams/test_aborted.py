"""Streams that fail after they have sent something, over HTTP/2: what was sent arrives, then the stream is reset."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from h2.events import DataReceived

from support.certificate import self_signed
from support.http2 import Http2, Reset
from support.process import ServerProcess

APP = """
from slimeweb import Slime

app = Slime(__file__)


@app.stream(path="/plain", content="text/plain")
def plain(req, resp):
    resp.start_stream()
    resp.send("a" * 60_000)
    resp.send("b" * 20_000)
    raise ValueError("broken")


@app.stream(path="/coroutine", content="text/plain")
async def coroutine(req, resp):
    resp.start_stream()
    await resp.send("a" * 60_000)
    await resp.send("b" * 20_000)
    raise ValueError("broken")


@app.route(path="/ok")
async def ok(req, resp):
    return "ok"


app.serve()
"""
SENT = b"a" * 60_000 + b"b" * 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("aborted")
    script = directory / "main.py"
    script.write_text(APP)
    certificate, key = self_signed(directory)
    env = {"SLIME_TLS_CERT": str(certificate), "SLIME_TLS_KEY": str(key), "SLIME_SEND_TIMEOUT": "2"}
    with ServerProcess(Path(script), env=env) as server:
        yield server.wait_until_serving()


def received(connection: Http2, stream: int) -> bytes:
    return b"".join(event.data or b"" for event in connection.events[stream] if isinstance(event, DataReceived))


@pytest.mark.parametrize("path", ["/plain", "/coroutine"])
def test_what_a_failing_stream_sent_beyond_the_window_arrives_before_the_reset(
    server: ServerProcess, path: str
) -> None:
    with server.http2(reads=False) as connection:
        stream = connection.begin("GET", path)
        while len(received(connection, stream)) < 65_535:
            connection.wait()
        server.wait_for_output("broken")
        connection.h2.increment_flow_control_window(100_000)
        connection.h2.increment_flow_control_window(100_000, stream)
        connection.flush()
        with pytest.raises(Reset):
            connection.answer(stream)
        assert received(connection, stream) == SENT
        connection.reads = True
        assert connection.ask("GET", "/ok").text == "ok"


@pytest.mark.parametrize("path", ["/plain", "/coroutine"])
def test_a_client_that_makes_no_room_for_what_a_failing_stream_sent_is_cut(server: ServerProcess, path: str) -> None:
    with server.http2(reads=False) as connection:
        stream = connection.begin("GET", path)
        began = time.monotonic()
        with pytest.raises((Reset, EOFError, ConnectionError)):
            connection.answer(stream)
        assert len(received(connection, stream)) == 65_535
        # The send timeout is two seconds.
        assert 1 < time.monotonic() - began < 14
