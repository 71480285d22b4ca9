"""HTTP/2 as nghttp and h2load speak it: refusals while they send, HEAD, small windows and many streams."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificate import tls_variables
from support.process import ServerProcess
from support.tools import tool

MIB = 1024 * 1024
SIZE = 300_000
"""Bytes of a response that small windows make many frames of."""
APP = f"""
import asyncio
import os
import time
from slimeweb import Slime

app = Slime(__file__)
PIECE = bytes(range(256)) * 40
LARGE = (PIECE * 30)[:{SIZE}]


@app.route("/plain", method=["GET", "POST"], body_size=1000)
def plain(req, resp):
    return str(len(req.body))


@app.route("/coroutine", method=["GET", "POST"], body_size=1000)
async def coroutine(req, resp):
    return str(len(req.body))


@app.route("/read/plain", method="POST", stream_body=True, body_size=1000)
def read(req, resp):
    return str(sum(len(piece) for piece in req.chunks()))


@app.route("/read/coroutine", method="POST", stream_body=True, body_size=1000)
async def read_async(req, resp):
    return str(sum([len(piece) async for piece in req.chunks()]))


@app.route("/get")
def get(req, resp):
    return "got"


@app.route("/slow/plain")
def slow(req, resp):
    time.sleep(0.02)
    return LARGE


@app.route("/slow/coroutine")
async def slow_async(req, resp):
    await asyncio.sleep(0.02)
    return LARGE


@app.stream("/stream/plain", content="application/octet-stream")
def stream(req, resp):
    resp.start_stream()
    for start in range(0, len(LARGE), 10_000):
        resp.send(LARGE[start:start + 10_000])


@app.stream("/stream/coroutine", content="application/octet-stream")
async def stream_async(req, resp):
    resp.start_stream()
    for start in range(0, len(LARGE), 10_000):
        await resp.send(LARGE[start:start + 10_000])


@app.route("/file")
def file(req, resp):
    return resp.file(os.path.join(os.path.dirname(os.path.abspath(__file__)), "static", "large.bin"))


@app.route("/length", method="POST", stream_body=True, body_size=64 * 1024 * 1024)
async def length(req, resp):
    size = 0
    async for piece in req.chunks():
        size += len(piece)
        await asyncio.sleep(0.001)
    return str(size)


app.serve()
"""
LARGE = (bytes(range(256)) * 40 * 30)[:SIZE]
large = pytest.mark.parametrize(
    "path",
    ["/slow/plain", "/slow/coroutine", "/stream/plain", "/stream/coroutine", "/file", "/static/large.bin"],
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("clients")
    script = directory / "main.py"
    script.write_text(APP)
    (directory / "static").mkdir()
    (directory / "static" / "large.bin").write_bytes(LARGE)
    with ServerProcess(script, env=tls_variables(directory)) as server:
        yield server.wait_until_serving()


def nghttp(*arguments: str) -> bytes:
    """What it prints: with -nv a line for each frame and field, else the bodies. It must have nothing to object to."""
    done = subprocess.run([tool("nghttp"), "-y", *arguments], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # Each request that fails is a line there, although the program ends with 0.
    assert done.stderr == b"", done.stderr
    return done.stdout


def frames(*arguments: str) -> str:
    shown = nghttp("-nv", *arguments).decode(errors="replace")
    assert not re.search(r"error_code=(?!NO_ERROR)", shown), shown
    return shown


def statuses(shown: str) -> list[int]:
    return [int(code) for code in re.findall(r"recv \(stream_id=\d+\) :status: (\d+)", shown)]


def received(shown: str) -> int:
    """Bytes of all response bodies."""
    return sum(int(size) for size in re.findall(r"recv DATA frame <length=(\d+)", shown))


class Load:
    """One run of h2load, all of whose requests got a whole response."""

    def __init__(self, *arguments: str, requests: int) -> None:
        command = [tool("h2load"), "-n", str(requests), "-N", "30s", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        self.shown = done.stdout
        assert done.returncode == 0, done.stderr
        assert "Application protocol: h2\n" in self.shown, self.shown
        total = rf"requests: {requests} total, {requests} started, {requests} done, \d+ succeeded, \d+ failed, "
        total += "0 errored, 0 timeout"
        assert re.search(total, self.shown), self.shown

    def codes(self) -> list[int]:
        """Responses with a status of 2xx, 3xx, 4xx and 5xx."""
        match = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", self.shown)
        assert match, self.shown
        return [int(count) for count in match.groups()]

    def received(self) -> int:
        """Bytes of all response bodies."""
        match = re.search(r"\((\d+)\) data$", self.shown, re.MULTILINE)
        assert match, self.shown
        return int(match[1])


@pytest.fixture
def body(tmp_path: Path) -> str:
    body = tmp_path / "body"
    body.write_bytes(bytes(2 * MIB))
    return str(body)


refusals = pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/plain", 400),
        ("/coroutine", 400),
        ("/read/plain", 400),
        ("/read/coroutine", 400),
        ("/none", 404),
        ("/static/none.txt", 404),
        ("/get", 405),
        ("/static/large.bin", 405),
    ],
)


@refusals
def test_nghttp_sees_why_it_is_refused_while_it_sends(server: ServerProcess, body: str, path: str, status: int) -> None:
    shown = frames("-d", body, server.url + path)
    assert statuses(shown) == [status]
    assert received(shown) > 0


@refusals
def test_h2load_sees_why_it_is_refused_while_it_sends(server: ServerProcess, body: str, path: str, status: int) -> None:
    load = Load("-c", "2", "-m", "5", "-d", body, server.url + path, requests=20)
    assert load.codes() == [0, 0, 20, 0]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/plain", 200),
        ("/coroutine", 200),
        ("/slow/plain", 200),
        ("/slow/coroutine", 200),
        ("/stream/plain", 200),
        ("/stream/coroutine", 200),
        ("/file", 200),
        ("/static/large.bin", 200),
        ("/none", 404),
        ("/static/none.txt", 404),
        ("/length", 405),
    ],
)
def test_head_has_no_content(server: ServerProcess, path: str, status: int) -> None:
    shown = frames("-H", ":method: HEAD", server.url + path)
    assert (statuses(shown), received(shown)) == ([status], 0)
    load = Load("-H", ":method: HEAD", "-m", "20", server.url + path, requests=40)
    assert load.codes() == ([40, 0, 0, 0] if status == 200 else [0, 0, 40, 0])
    assert load.received() == 0


@large
def test_bodies_arrive_whole_through_small_windows(server: ServerProcess, path: str) -> None:
    assert nghttp("-w", "10", "-W", "12", server.url + path) == LARGE
    # Those of several streams come in pieces that are mixed.
    assert len(nghttp("-w", "14", "-W", "14", "-m", "5", server.url + path)) == 5 * SIZE


@large
def test_many_streams_share_a_small_connection_window(server: ServerProcess, path: str) -> None:
    load = Load("-c", "2", "-m", "100", "-w", "12", "-W", "16", server.url + path, requests=200)
    assert (load.codes(), load.received()) == ([200, 0, 0, 0], 200 * SIZE)


def test_many_streams_of_all_kinds_get_each_the_answer_to_their_request(server: ServerProcess) -> None:
    paths = ["/plain", "/coroutine", "/slow/plain", "/slow/coroutine", "/stream/plain", "/stream/coroutine", "/file"]
    paths += ["/none", "/static/none.txt", "/length"]
    # Each client asks for the paths in turn.
    load = Load("-c", "4", "-m", "100", *(server.url + path for path in paths), requests=2000)
    assert load.codes() == [1400, 0, 600, 0]


def test_uploads_to_a_handler_that_reads_slowly_arrive_whole(server: ServerProcess, tmp_path: Path) -> None:
    body = tmp_path / "megabyte"
    body.write_bytes(bytes(MIB))
    assert nghttp("-d", str(body), server.url + "/length") == str(MIB).encode()
    load = Load("-c", "2", "-m", "20", "-d", str(body), server.url + "/length", requests=40)
    assert (load.codes(), load.received()) == ([40, 0, 0, 0], 40 * len(str(MIB)))
