"""What the server does when file descriptors run out: it says so, and goes on as soon as there are some again."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.certificate import self_signed
from support.condition import eventually
from support.process import ServerProcess
from support.wire import Answer, Wire

APP = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from slimeweb import Slime

app = Slime(__file__)
taken = []

@app.route('/take')
async def take(req, resp):
    while True:
        try:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return str(len(taken))

@app.route('/release')
async def release(req, resp):
    while taken:
        os.close(taken.pop())
    return 'released'

@app.route('/plain', method=['GET', 'POST'])
def plain(req, resp):
    return resp.file('page.html')

@app.route('/coroutine')
async def coroutine(req, resp):
    return resp.file('page.html')

@app.route('/upload', method='POST')
def upload(req, resp):
    return str(req.file[0].file_size)

@app.error(503)
def unavailable(req, resp, error):
    return resp.plain('sorry', status=503)

app.serve(upload_memory=0)
"""

Ask = Callable[..., Answer]
UPLOAD = (
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nlong enough to be stored\r\n--x--\r\n'
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    cert, key = self_signed(tmp_path)
    script = tmp_path / "app.py"
    script.write_text(APP)
    (tmp_path / "page.html").write_text("a page")
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "page.html").write_text("a page")
    with ServerProcess(script, env={"SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)}, cwd=tmp_path) as server:
        yield server.wait_until_serving()


@pytest.fixture(params=["1.1", "2"])
def ask(server: ServerProcess, request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Requests over one connection that was there before the descriptors were taken."""
    if request.param == "2":
        with server.http2() as connection:
            yield connection.ask
    else:
        with server.wire() as wire:

            def ask(method: str, target: str, **rest: Any) -> Answer:
                wire.request(method, target, **rest)
                return wire.answer(to=method)

            yield ask


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/static/page.html"),
        ("HEAD", "/static/page.html"),
        ("GET", "/plain"),
        ("POST", "/plain"),
        ("GET", "/coroutine"),
    ],
)
def test_files_that_cannot_be_opened_for_now_are_a_503_and_a_line_in_the_log(
    server: ServerProcess, ask: Ask, method: str, target: str
) -> None:
    """Not a 404, which clients and caches would keep."""
    assert ask(method, target).status == 200
    ask("GET", "/take")
    assert ask(method, target).status == 503
    server.wait_for_output(rf"ERROR slimeweb: {method} {target}: 503, .*: OSError: .*[Tt]oo many open files")
    assert ask("GET", "/release").text == "released"
    answer = ask(method, target)
    assert (answer.status, answer.text) == (200, "" if method == "HEAD" else "a page")


def test_the_503_of_a_static_file_is_the_error_handlers_own(server: ServerProcess, ask: Ask) -> None:
    ask("GET", "/take")
    answer = ask("GET", "/static/page.html")
    assert (answer.status, answer.text) == (503, "sorry")
    assert ask("GET", "/static/missing.html").status == 404


def test_an_upload_that_cannot_be_stored_for_now_is_a_503_and_a_line_in_the_log(
    server: ServerProcess, ask: Ask
) -> None:
    ask("GET", "/take")
    form = {"headers": {"Content-Type": "multipart/form-data; boundary=x"}, "body": UPLOAD}
    assert ask("POST", "/upload", **form).status == 503
    server.wait_for_output(r"ERROR slimeweb: POST /upload: 503, an uploaded file could not be stored: OSError: ")


def test_connections_that_cannot_be_accepted_wait_and_are_served_later(server: ServerProcess, ask: Ask) -> None:
    ask("GET", "/take")
    # All that is there to be done for them is the system's: the connection stands, and nobody answers.
    waiting = [socket.create_connection((server.host, server.port), timeout=15) for _ in range(5)]
    with ExitStack() as sockets:
        for each in waiting:
            sockets.enter_context(each)
        line = r"ERROR slimeweb: connections cannot be accepted for now, and wait: OSError: .*[Tt]oo many open files"
        server.wait_for_output(line)
        assert ask("GET", "/static/missing.html").status == 404, "those that are there are served"
        ask("GET", "/release")
        assert server.ask("/release").text == "released"
    assert server.output.count("connections cannot be accepted") == 1, "once for a while, not with each attempt"
    assert "Traceback" not in server.output


STARTING = """
import os, resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from slimeweb import Slime

app = Slime(__file__)

@app.start()
def start():
    print('starting', flush=True)
    while not os.path.exists('go'):
        time.sleep(0.01)

@app.route('/')
def home(req, resp):
    return 'here'

@app.end()
def end(error):
    print('ended', repr(error), flush=True)

app.serve()
"""


def test_connections_that_arrive_during_the_start_and_take_all_descriptors_do_not_end_the_process(
    tmp_path: Path,
) -> None:
    script, path = tmp_path / "app.py", tmp_path / "socket"
    script.write_text(STARTING)
    with ServerProcess(script, env={"SLIME_UNIX_SOCKET": str(path)}, cwd=tmp_path) as server:
        server.wait_for_output("starting")
        with ExitStack() as clients:
            for _ in range(100):
                clients.enter_context(Wire.unix(str(path)))
            (tmp_path / "go").touch()
            server.wait_until_serving()
            server.wait_for_output("connections cannot be accepted for now, and wait")
        assert eventually(lambda: server.ask("/").text == "here")
        assert server.stop() == 0, server.output
    assert "Traceback" not in server.output
    assert "ended None" in server.output
