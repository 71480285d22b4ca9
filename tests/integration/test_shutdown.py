"""How the server ends, and how it does not start (Done when, line 1)."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.certificate import self_signed
from support.condition import eventually
from support.process import TOUR, ServerProcess, StartTour
from support.tools import tool
from support.websocket import open_websocket
from support.wire import Wire


def sleeping(server: ServerProcess, seconds: float, route: str = "sleep") -> Wire:
    """A request that the handler is surely working on."""
    wire = server.wire(timeout=30)
    wire.request("GET", f"/{route}/{seconds}")
    eventually(lambda: server.ask("/stats").json()["in_flight"] >= 2, what="the sleeper sleeps")
    return wire


def is_refused(server: ServerProcess) -> bool:
    """Whether nobody listens any more."""
    try:
        server.wire().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # It was still in the queue when the listener was closed.
        pass
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("route", ["sleep", "nap"])
def test_requests_in_flight_are_finished_and_app_end_runs(
    start_tour: StartTour, number: signal.Signals, route: str
) -> None:
    server = start_tour(SLIME_SHUTDOWN_GRACE="20")
    with server.wire() as idle, sleeping(server, 1.5, route) as busy:
        idle.request("GET", "/ping")
        assert idle.answer().text == "pong"
        start = time.monotonic()
        server.send_signal(number)
        assert idle.is_closed_by_server(), "an idle connection is not waited for"
        eventually(lambda: is_refused(server), what="nobody listens")
        answer = busy.answer()
        assert (answer.status, answer.json()) == (200, {"slept": 1.5})
        assert busy.is_closed_by_server()
    assert server.wait(20) == 0, server.output
    assert time.monotonic() - start < 10
    assert server.output.count("tour: ended, error=None") == 1
    assert "Traceback" not in server.output


def test_an_idle_server_ends_at_once(start_tour: StartTour) -> None:
    server = start_tour()
    start = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - start < 3
    assert "tour: ended, error=None" in server.output


@pytest.mark.parametrize("route", ["sleep", "nap"])
def test_the_grace_time_is_the_longest_that_a_request_can_hold_the_end(start_tour: StartTour, route: str) -> None:
    server = start_tour(SLIME_SHUTDOWN_GRACE="1")
    with sleeping(server, 20, route):
        start = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0, server.output
        assert 0.5 < time.monotonic() - start < 8
        assert "tour: ended" in server.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("route", ["sleep", "nap"])
def test_a_second_signal_cuts_what_is_in_flight_and_app_end_runs(
    start_tour: StartTour, number: signal.Signals, route: str
) -> None:
    server = start_tour(SLIME_SHUTDOWN_GRACE="60")
    with sleeping(server, 30, route) as busy, server.wire() as probe:
        server.send_signal(number)
        assert probe.is_closed_by_server(), "the first signal has been taken in"
        start = time.monotonic()
        server.send_signal(number)
        assert busy.is_closed_by_server()
        assert server.wait(10) == 128 + number
        assert time.monotonic() - start < 5
    assert server.output.count("tour: ended, error=None") == 1
    assert "Traceback" not in server.output


# In steps: Python does not hear of a signal that comes between its last look and a wait without end.
STUCK_END = (
    "import threading\n@app.end()\ndef end(error):\n    print('ending', flush=True)\n"
    "    while not threading.Event().wait(0.1):\n        pass\n"
)


def test_a_signal_while_the_end_functions_run_ends_the_process_at_once(tmp_path: Path) -> None:
    with ServerProcess(write_app(tmp_path, STUCK_END)) as server:
        server.wait_until_serving()
        server.send_signal(signal.SIGTERM)
        server.wait_for_output("ending")
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 128 + signal.SIGTERM


WAITED_FOR = (
    "import asyncio, threading, time\n"
    "release = threading.Event()\n"
    "@app.route('/slow')\ndef slow(req, resp):\n    print('slow', flush=True)\n    release.wait()\n    return 'done'\n"
    "@app.route('/nap/{seconds:int}', method=['GET', 'POST'])\n"
    "async def nap(req, resp):\n    print('nap', flush=True)\n"
    "    while not release.is_set():\n        await asyncio.sleep(0.01)\n    return 'done'\n"
    "@app.stream('/rows', content='text/csv')\ndef rows(req, resp):\n    resp.start_stream()\n    resp.send('row')\n"
    "    print('rows', flush=True)\n    release.wait()\n"
    "@app.websocket('/talk')\ndef talk(req, resp):\n    resp.on_open(lambda: print('talk', flush=True))\n"
    "@app.route('/quick')\ndef quick(req, resp):\n    return 'quick'\n"
    "@app.end()\ndef end(error):\n    print('ended', flush=True)\n"
    "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: release.set())\n"
)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_log_says_what_a_shutdown_waits_for(tmp_path: Path, version: str) -> None:
    """And nothing of what is over, or idle: such as the connection that has asked for /quick."""
    cert, key = self_signed(tmp_path)
    env = {"SLIME_SHUTDOWN_GRACE": "60", "SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)}
    with ServerProcess(write_app(tmp_path, WAITED_FOR), env=env) as server, ExitStack() as clients:
        server.wait_until_serving()
        idle = clients.enter_context(server.wire())
        idle.request("GET", "/quick")
        assert idle.answer().text == "quick"
        for target, what in (("/slow", "slow"), ("/slow", "slow(.|\n)*slow"), ("/nap/5", "nap"), ("/rows", "rows")):
            if version == "2":
                clients.enter_context(server.http2()).begin("GET", target)
            else:
                clients.enter_context(server.wire()).request("GET", target)
            server.wait_for_output(what)
        # It does not answer the goodbye.
        open_websocket(clients.enter_context(server.wire()), "/talk")
        server.wait_for_output("talk")
        server.send_signal(signal.SIGTERM)
        line = server.wait_for_output("stopping: .*")[0]
        assert re.fullmatch(
            r"stopping: waiting for 3 requests, 1 stream and 1 switched connection "
            r"\(GET /slow: 2, GET /rows: 1, GET /talk: 1, GET,POST /nap/\{seconds:int\}: 1\), (60|59) s at most; "
            r"a second signal ends them at once",
            line,
        ), line
        server.send_signal(signal.SIGUSR1)
        assert server.wait() == 0, server.output
    assert server.output.count("stopping:") == 1


def test_the_log_names_handlers_that_are_left_behind(tmp_path: Path) -> None:
    with ServerProcess(write_app(tmp_path, BUSY), env={"SLIME_SHUTDOWN_GRACE": "0.2"}) as server:
        server.wait_until_serving()
        with server.wire() as wire:
            wire.request("GET", "/rest")
            server.wait_for_output("busy")
            assert server.stop() == 0
    assert "stopping: handlers are still busy, and are left where they are (GET /rest: 1)" in server.output


@pytest.mark.parametrize(("grace", "least"), [(None, 1.9), ("0.2", 0.2)], ids=["by default", "as set"])
def test_in_development_the_grace_time_is_short(tmp_path: Path, grace: str | None, least: float) -> None:
    env = {"SLIME_DEV": "1"} | ({"SLIME_SHUTDOWN_GRACE": grace} if grace else {})
    with ServerProcess(write_app(tmp_path, BUSY), env=env) as server:
        server.wait_until_serving()
        with server.wire() as wire:
            wire.request("GET", "/rest")
            server.wait_for_output("busy")
            start = time.monotonic()
            assert server.stop() == 0
            assert least <= time.monotonic() - start < least + 5


def test_a_port_in_use_is_one_clear_line_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with ServerProcess(TOUR, env={"SLIME_PORT": str(port)}) as server:
            assert server.wait() == 1
            lines = server.output.strip().splitlines()
    assert len(lines) == 1, lines
    assert f"127.0.0.1:{port}" in lines[0]
    assert "in use" in lines[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLIME_PORT", "http"),
        ("SLIME_PORT", "70000"),
        ("SLIME_WORKER", "0"),
        ("SLIME_WORKER", "many"),
        ("SLIME_HEAD_TIMEOUT", "-1"),
        ("SLIME_POOL_THREADS", "0"),
        ("SLIME_TRUSTED_PROXIES", "not an address"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with ServerProcess(TOUR, env={name: value}) as server:
        assert server.wait() != 0
        assert name in server.output
        assert value in server.output
        assert "tour: started" not in server.output


def test_a_host_name_is_resolved(start_tour: StartTour) -> None:
    assert start_tour(SLIME_HOST="localhost").ask("/ping").text == "pong"


def write_app(directory: Path, body: str) -> Path:
    script = directory / "app.py"
    script.write_text(f"from slimeweb import Slime\n\napp = Slime(__file__)\n{body}\napp.serve()\n")
    return script


def test_a_failing_start_hook_ends_with_the_error_handed_to_the_end_hook(tmp_path: Path) -> None:
    script = write_app(
        tmp_path,
        "@app.start()\ndef start():\n    raise RuntimeError('no database')\n"
        "@app.end()\ndef end(error):\n    print('ended with', repr(error), flush=True)\n",
    )
    with ServerProcess(script) as server:
        assert server.wait() != 0
        assert "ended with RuntimeError('no database')" in server.output


def test_a_handler_that_exits_does_not_take_the_server_with_it(tmp_path: Path) -> None:
    script = write_app(
        tmp_path,
        "import sys\n"
        "@app.route('/exit')\ndef leave(req, resp):\n    sys.exit(3)\n"
        "@app.route('/aexit')\nasync def aleave(req, resp):\n    sys.exit(3)\n"
        "@app.route('/interrupt')\ndef interrupt(req, resp):\n    raise KeyboardInterrupt\n"
        "@app.route('/')\ndef home(req, resp):\n    return 'still here'\n",
    )
    with ServerProcess(script) as server:
        server.wait_until_serving()
        for target in ("/exit", "/aexit", "/interrupt"):
            assert server.ask(target).status == 500
            assert [server.ask("/").text for _ in range(4)] == ["still here"] * 4
        assert server.stop() == 0


BUSY = (
    "import asyncio, time\n"
    "@app.route('/count')\ndef count(req, resp):\n    print('busy', flush=True)\n    while True:\n        pass\n"
    "@app.route('/rest')\ndef rest(req, resp):\n    print('busy', flush=True)\n"
    "    while True:\n        time.sleep(0.001)\n"
    "@app.route('/acount')\nasync def acount(req, resp):\n    print('busy', flush=True)\n"
    "    while True:\n        pass\n"
    "@app.route('/thread')\nasync def thread(req, resp):\n    print('busy', flush=True)\n"
    "    await asyncio.to_thread(time.sleep, 600)\n"
    "@app.route('/lookup')\nasync def lookup(req, resp):\n    print('busy', flush=True)\n"
    "    await asyncio.get_running_loop().run_in_executor(None, rest, req, resp)\n"
    "@app.end()\ndef end(error):\n    print('ended', flush=True)\n"
)


@pytest.mark.parametrize("target", ["/count", "/rest", "/acount", "/thread", "/lookup"])
def test_a_handler_that_never_ends_does_not_change_how_the_process_does(tmp_path: Path, target: str) -> None:
    """Nor its exit code, which is the application's."""
    script = write_app(tmp_path, BUSY)
    script.write_text(script.read_text() + "raise SystemExit(3)\n")
    with ServerProcess(script, env={"SLIME_SHUTDOWN_GRACE": "0.5"}) as server:
        server.wait_until_serving()
        with server.wire() as wire:
            wire.request("GET", target)
            server.wait_for_output("busy")
            start = time.monotonic()
            server.send_signal(signal.SIGTERM)
            assert server.wait() == 3, server.output
    assert time.monotonic() - start < 10
    assert server.output.count("ended") == 1
    assert "FATAL" not in server.output


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"], ids=["nothing", "half a record"])
def test_a_handshake_that_does_not_go_on_does_not_hold_up_the_end(tmp_path: Path, sent: bytes) -> None:
    cert, key = self_signed(tmp_path)
    env = {"SLIME_SHUTDOWN_GRACE": "60", "SLIME_HEAD_TIMEOUT": "60", "SLIME_TLS_CERT": str(cert)}
    with ServerProcess(TOUR, env={**env, "SLIME_TLS_KEY": str(key)}) as server:
        server.wait_until_serving()
        with Wire.tcp(server.host, server.port, timeout=30) as wire:
            wire.send(sent)
            # A connection that came later has been accepted: so has the first.
            assert server.ask("/ping").text == "pong"
            server.send_signal(signal.SIGTERM)
            assert wire.is_closed_by_server()
            assert server.wait(30) == 0, server.output


STREAMS = (
    "import asyncio, threading, time\n"
    "@app.stream('/plain', content='text/event-stream')\n"
    "def plain(req, resp):\n"
    "    resp.start_stream()\n"
    "    try:\n"
    "        while True:\n"
    "            resp.send_event('tick')\n"
    "            print('open', flush=True)\n"
    "            time.sleep(0.05)\n"
    "    finally:\n"
    "        print(f'left {resp.is_closed()} {resp.is_stopping()}\\n', end='', flush=True)\n"
    "@app.stream('/bare', content='text/event-stream')\n"
    "def bare(req, resp):\n"
    "    resp.keep_alive = 0\n"
    "    plain(req, resp)\n"
    "@app.stream('/quiet', content='text/event-stream')\n"
    "async def quiet(req, resp):\n"
    "    resp.start_stream()\n"
    "    resp.send_event('tick')\n"
    "    print('open', flush=True)\n"
    "    try:\n"
    "        await asyncio.Event().wait()\n"
    "    finally:\n"
    "        print(f'left {resp.is_closed()} {resp.is_stopping()}\\n', end='', flush=True)\n"
    "@app.stream('/ticking', content='text/event-stream')\n"
    "async def ticking(req, resp):\n"
    "    resp.start_stream()\n"
    "    try:\n"
    "        while True:\n"
    "            await resp.send_event('tick')\n"
    "            print('open', flush=True)\n"
    "            await asyncio.sleep(0.05)\n"
    "    finally:\n"
    "        print(f'left {resp.is_closed()} {resp.is_stopping()}\\n', end='', flush=True)\n"
    "@app.stream('/download', content='text/csv')\n"
    "def download(req, resp):\n"
    "    resp.start_stream()\n"
    "    while not resp.is_stopping():\n"
    "        resp.send('row\\n')\n"
    "        print('open', flush=True)\n"
    "        time.sleep(0.05)\n"
    "    time.sleep(0.5)\n"
    "    resp.send('last\\n')\n"
    "@app.end()\ndef end(error):\n    print('ended', flush=True)\n"
)


@pytest.fixture
def streaming(tmp_path: Path) -> Iterator[ServerProcess]:
    cert, key = self_signed(tmp_path)
    env = {"SLIME_SHUTDOWN_GRACE": "60", "SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)}
    with ServerProcess(write_app(tmp_path, STREAMS), env=env) as server:
        yield server.wait_until_serving()


def listening(server: ServerProcess, target: str, version: str) -> subprocess.Popen[str]:
    """A client that takes a stream to its end. To the h2 library a connection is closed once GOAWAY came."""
    command = [tool("curl"), "--silent", "--insecure", "--no-buffer", f"--http{version}", f"{server.url}{target}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("target", ["/plain", "/bare", "/quiet", "/ticking"])
@pytest.mark.parametrize("version", ["1.1", "2"])
def test_event_streams_end_well_when_the_server_stops(
    streaming: ServerProcess, target: str, version: str, number: signal.Signals
) -> None:
    with listening(streaming, target, version) as client:
        streaming.wait_for_output("open")
        start = time.monotonic()
        streaming.send_signal(number)
        heard, _ = client.communicate(timeout=30)
        assert client.returncode == 0, "the answer is complete"
        assert streaming.wait() == 0, streaming.output
    assert time.monotonic() - start < 10, "the grace time is 60 s"
    assert heard.startswith("data: tick\n\n")
    assert streaming.output.count("left True True") == 1, streaming.output
    assert "Traceback" not in streaming.output
    assert streaming.output.count("ended") == 1


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_stream_that_has_an_end_may_reach_it_when_the_server_stops(streaming: ServerProcess, version: str) -> None:
    with listening(streaming, "/download", version) as client:
        streaming.wait_for_output("open")
        streaming.send_signal(signal.SIGTERM)
        heard, _ = client.communicate(timeout=30)
        assert client.returncode == 0, "the answer is complete"
    assert heard.endswith("row\nlast\n")
    assert streaming.wait() == 0, streaming.output
