"""The life of a server: start and end functions, signals, and what can go wrong on the way."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError, InvalidHandler
from slimeweb.testing import TestClient

APP = """
import sys, threading
from slimeweb import Slime

app = Slime(__file__)
entered, leave = threading.Event(), threading.Event()

@app.route("/")
def home(req, resp):
    return "hello"

@app.route("/slow")
def slow(req, resp):
    print("in flight", flush=True)
    sys.stdin.readline()
    return "done"

@app.start()
async def start():
    print("start", flush=True)

@app.end()
def end(error):
    print("end", error, flush=True)

app.serve(workers=1)
print("after", flush=True)
"""


class Process:
    def __init__(self, script: Path, environ: dict[str, str]) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, str(script)],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_until(self, word: str) -> str:
        assert self.popen.stdout is not None
        seen = []
        for line in self.popen.stdout:
            seen.append(line)
            if word in line:
                return line
        raise AssertionError(f"no {word!r} in {seen}")

    def rest(self) -> str:
        return self.popen.communicate(timeout=30)[0]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "main.py"
    path.write_text(APP)
    return path


@pytest.fixture
def process(script: Path) -> Iterator[Process]:
    process = Process(script, {"SLIME_PORT": "0"})
    yield process
    process.popen.kill()
    process.popen.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_what_is_in_flight_and_ends_cleanly(process: Process, number: signal.Signals) -> None:
    port = int(process.read_until("serving on http://").partition("http://127.0.0.1:")[2].split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        process.read_until("in flight")
        process.popen.send_signal(number)
        assert process.popen.stdin is not None
        process.popen.stdin.write("\n")
        process.popen.stdin.flush()
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.endswith(b"\r\n\r\ndone")
    assert process.rest().split("\n")[-3:] == ["end None", "after", ""]
    assert process.popen.returncode == 0


def test_a_mistyped_variable_is_a_line_in_the_log(script: Path) -> None:
    process = Process(script, {"SLIME_PORT": "0", "SLIME_WORKERS": "2"})
    try:
        line = process.read_until("SLIME_WORKERS")
        assert "WARNING slimeweb: the variable SLIME_WORKERS is no setting: did you mean SLIME_WORKER?" in line
    finally:
        process.popen.kill()
        process.popen.communicate()


def test_a_second_signal_cuts_what_is_in_flight_and_serve_does_not_return(process: Process) -> None:
    port = int(process.read_until("serving on http://").partition("http://127.0.0.1:")[2].split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        process.read_until("in flight")
        process.popen.send_signal(signal.SIGTERM)
        # Once nothing is accepted any more, the first signal has been handled.
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=10).close()
            except ConnectionResetError:
                continue
            except ConnectionRefusedError:
                break
        process.popen.send_signal(signal.SIGINT)
        assert process.rest().split("\n")[-2:] == ["end None", ""]
    assert process.popen.returncode == 130


def test_a_port_in_use_is_one_line_before_anything_has_run(script: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = Process(script, {"SLIME_PORT": str(port)})
        output = process.rest()
    assert process.popen.returncode == 1
    assert output.startswith(f"slimeweb cannot listen on 127.0.0.1:{port}: ")
    assert output.count("\n") == 1


def test_start_functions_run_in_order_on_their_threads() -> None:
    app = Slime(__file__)
    seen: list[tuple[str, str]] = []

    def note(name: str) -> None:
        seen.append((name, threading.current_thread().name))

    app.start()(lambda: note("plain"))

    @app.start()
    async def later() -> None:
        await asyncio.sleep(0)
        note("async")

    app.end()(lambda error: note(f"end {error}"))
    with TestClient(app):
        pass
    here = threading.current_thread().name
    assert seen == [("plain", here), ("async", "slime-loop-0"), ("end None", here)]


@pytest.mark.parametrize("later", [False, True])
def test_a_start_function_that_fails_ends_the_application(later: bool) -> None:
    app = Slime(__file__)
    ends: list[BaseException | None] = []

    def fail() -> None:
        raise OSError("no database")

    async def fail_later() -> None:
        raise OSError("no database")

    app.start()(fail_later if later else fail)
    app.end()(ends.append)
    with pytest.raises(OSError, match="no database"), TestClient(app):
        pass
    assert [str(error) for error in ends] == ["no database"]
    # It has ended: it may be started again.
    with pytest.raises(OSError, match="no database"), TestClient(app):
        pass


def test_an_end_function_that_fails_does_not_keep_others_from_running(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)
    ends: list[str] = []
    app.end()(lambda error: 1 / 0)
    app.end()(lambda error: ends.append("second"))
    with TestClient(app):
        pass
    assert ends == ["second"]
    assert "ZeroDivisionError" in caplog.text


def test_an_end_function_that_exits_does_so_after_the_others() -> None:
    app = Slime(__file__)
    ends: list[str] = []
    app.end()(lambda error: sys.exit(3))
    app.end()(lambda error: ends.append("second"))
    with pytest.raises(SystemExit), TestClient(app):
        pass
    assert ends == ["second"]
    with pytest.raises(SystemExit), TestClient(app):
        # It can be served again.
        pass


def test_end_functions_take_the_error() -> None:
    app = Slime(__file__)
    with pytest.raises(InvalidHandler, match="one argument"):
        app.end()(lambda: None)


def test_serve_outside_of_the_main_thread_is_ended_by_shutdown(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)
    serving, ended = threading.Event(), threading.Event()
    app.start()(serving.set)
    app.end()(lambda error: ended.set())
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: app.serve(port=0, workers=1))
    thread.start()
    assert serving.wait(10)
    assert signal.getsignal(signal.SIGTERM) is before
    app.shutdown()
    thread.join(10)
    assert not thread.is_alive()
    assert ended.is_set()
    app.shutdown()


def test_one_application_is_served_once_at_a_time() -> None:
    app = Slime(__file__)
    with TestClient(app), pytest.raises(ConfigError, match="being served already"), TestClient(app):
        pass
    with TestClient(app) as client:
        assert client.get("/").status_code == 404


def test_a_task_that_is_still_running_is_cancelled_at_the_end() -> None:
    app = Slime(__file__)
    ended: list[str] = []
    started = threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    @app.route("/")
    async def start(req: SlimeRequest, resp: SlimeResponse) -> str:
        req.app.state["task"] = asyncio.ensure_future(forever())
        return "started"

    with TestClient(app) as client:
        assert client.get("/").text == "started"
        assert started.wait(10)
    assert ended == ["cancelled"]


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])
@pytest.mark.parametrize("grace", [10.0, 0.0])
def test_a_handler_that_goes_on_after_its_answer_has_the_grace_time(is_async: bool, grace: float) -> None:
    app = Slime(__file__)
    go_on, ended = threading.Event(), []

    def begin(resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        writer.try_write(b"ok")
        writer.close()

    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        begin(resp)
        ended.append(go_on.wait(5))

    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
        begin(resp)
        ended.append(await asyncio.to_thread(go_on.wait, 5))

    app.route("/")(coroutine if is_async else plain)
    with TestClient(app, shutdown_grace=grace) as client:
        assert client.get("/").text == "ok"
        # By the time it is set, the server has begun to stop.
        threading.Timer(1.5 if grace else 4, go_on.set).start()
    assert ended == ([True] if grace else [])
    go_on.set()
