"""What is refused before a handler sees it: through error handlers and middleware, and in the access log at its end."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificate import self_signed, tls_variables
from support.condition import eventually
from support.process import ServerProcess

APP = """
import os
import tempfile
import threading

from slimeweb import HttpError, Slime
from slimeweb.middleware import SlimeMiddleware
from slimeweb.plugin import Cors

app = Slime(__file__)
released = threading.Event()
THERE = os.path.join(os.path.dirname(__file__), "static", "there.txt")


class Reading(SlimeMiddleware):
    def middle_before(self, req, resp):
        resp.set_header("X-Read", str(req.form.get("name", req.json)))


class Vanished(Exception):
    pass


def vanishing(resp):
    file = tempfile.NamedTemporaryFile(delete=False)
    resp.file(file.name, filename="vanished.csv")
    os.unlink(file.name)


@app.error(HttpError)
def failed(req, resp, exc):
    match getattr(req, "page", None):
        case "there":
            return resp.file(THERE)
        case "vanishes":
            return vanishing(resp)
        case "raises":
            raise Vanished("the page is gone")
        case "stream":
            writer = resp.writer()
            writer.start()
            return writer.write("in pieces")
    return resp.json({"status": exc.status, "detail": exc.detail, "path": req.path})


@app.route("/plain", method="POST", body_size=1000)
def plain(req, resp):
    return "taken"


@app.route("/coroutine", method="POST", body_size=1000)
async def coroutine(req, resp):
    return "taken"


@app.route("/reading", method="POST", body_size=1000, plugin=[Reading()])
def reading(req, resp):
    return "taken"


@app.route("/pieces/plain", method="POST", stream_body=True)
def pieces(req, resp):
    return str(sum(len(piece) for piece in req.chunks()))


@app.route("/pieces/coroutine", method="POST", stream_body=True)
async def pieces_async(req, resp):
    return str(sum([len(piece) async for piece in req.chunks()]))


@app.stream(path="/stream", content="text/plain")
def stream(req, resp):
    resp.start_stream()
    for _ in range(10):
        resp.send("0123456789")


@app.stream(path="/endless", content="text/plain")
async def endless(req, resp):
    resp.start_stream()
    while True:
        await resp.send("0" * 10_000)


@app.route("/large")
def large(req, resp):
    return bytes(20_000_000)
@app.route("/hello/again")
async def hello_again(req, resp):
    return "hello"


@app.route("/hello", method=["GET", "POST"])
def hello(req, resp):
    return "hello"


@app.route("/wait")
def wait(req, resp):
    print("the handler waits", flush=True)
    released.wait(30)
    return "late"


@app.route("/release")
async def release(req, resp):
    released.set()
    return "released"


@app.route("/held", blocking=True)
def held(req, resp):
    print("a handler is held", flush=True)
    released.wait(30)
    return "late"


@app.route("/missing/plain")
def missing(req, resp):
    return resp.file("no-such-file.txt")


@app.route("/missing/coroutine")
async def missing_async(req, resp):
    return resp.file("no-such-file.txt")


@app.route("/file/plain")
def file(req, resp):
    resp.set_header("Cache-Control", "max-age=60")
    resp.set_cookie("seen", "yes")
    return resp.file(THERE)


@app.route("/file/coroutine")
async def file_async(req, resp):
    return resp.file(THERE)


@app.route("/vanished/plain")
def vanished(req, resp):
    vanishing(resp)


@app.route("/vanished/coroutine")
async def vanished_async(req, resp):
    vanishing(resp)


@app.route("/page/{page}")
def page(req, resp):
    req.page = req.params["page"]
    vanishing(resp)


class Protocol:
    def connection_made(self, transport): ...
    def data_received(self, data): ...
    def eof_received(self): ...
    def pause_writing(self): ...
    def resume_writing(self): ...
    def connection_lost(self, exc):
        print("the protocol has lost", flush=True)


@app.route("/switch/plain")
def switch(req, resp):
    resp.switch_protocol(Protocol(), [("Upgrade", "toy/1")])


@app.route("/switch/coroutine")
async def switch_async(req, resp):
    resp.switch_protocol(Protocol(), [("Upgrade", "toy/1")])


@app.route("/shared/plain", plugin=[Cors(origins="https://b.example")])
def shared(req, resp):
    return "shared"


@app.route("/shared/coroutine", plugin=[Cors(origins="https://b.example")])
async def shared_async(req, resp):
    return "shared"


@app.route("/options/plain", method=["GET", "OPTIONS"], plugin=[Cors(origins="https://b.example")])
def options(req, resp):
    return "options"


@app.route("/options/coroutine", method=["GET", "OPTIONS"], plugin=[Cors(origins="https://b.example")])
async def options_async(req, resp):
    return "options"


@app.route("/at-path/plain")
def at_path(req, resp):
    return "at path"


@app.route("/at-path/coroutine")
async def at_path_async(req, resp):
    return "at path"


app.use(Cors(origins=["https://a.example"]))
app.use(Cors(origins=["https://b.example"]), path="/at-path/plain")
app.use(Cors(origins=["https://b.example"]), path="/at-path/coroutine")
app.serve()
"""
ORIGIN = {"Origin": "https://a.example"}
version = pytest.mark.parametrize("version", ["1.1", "2"])
path = pytest.mark.parametrize("path", ["/plain", "/coroutine", "/reading"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("refusals")
    script = directory / "main.py"
    script.write_text(APP)
    (directory / "static").mkdir()
    (directory / "static" / "there.txt").write_text("there")
    env = {
        **tls_variables(directory),
        "SLIME_ACCESS_LOG": "1",
        "SLIME_BODY_TIMEOUT": "1",
        "SLIME_HEAD_TIMEOUT": "1",
    }
    with ServerProcess(Path(script), env=env) as server:
        yield server.wait_until_serving()


@version
@pytest.mark.parametrize("kind", ["plain", "coroutine"])
@pytest.mark.parametrize("where", ["shared", "options", "at-path"])
def test_a_method_that_is_not_there_has_the_cors_fields_of_its_path(
    server: ServerProcess, where: str, kind: str, version: str
) -> None:
    for origin, allowed in [("https://b.example", "https://b.example"), ("https://a.example", None)]:
        answer = server.ask(f"/{where}/{kind}", "POST", headers={"Origin": origin}, version=version)
        assert (answer.status, set(str(answer.header("allow")).split(", "))) == (405, {"GET", "HEAD", "OPTIONS"})
        assert answer.json() == {"status": 405, "detail": "", "path": f"/{where}/{kind}"}
        assert answer.header("access-control-allow-origin") == allowed
        assert answer.header_all("vary") == ["Origin"]


@version
@path
def test_a_body_over_the_limit_goes_through_error_handlers_and_middleware(
    server: ServerProcess, path: str, version: str
) -> None:
    headers = {**ORIGIN, "Content-Type": "application/json"}
    answer = server.ask(path, "POST", headers=headers, body=b"0" * 1001, version=version)
    detail = "the request body is larger than the 1000 bytes allowed here"
    assert answer.json() == {"status": answer.status, "detail": detail, "path": path}
    assert answer.status == 400
    assert answer.header("access-control-allow-origin") == "https://a.example"
    server.wait_for_output(rf"POST {path} {answer.status} {len(answer.body)}B")


@pytest.mark.parametrize(
    ("method", "target", "length", "status"),
    [
        ("POST", "/none", 200_000_000, 404),
        ("DELETE", "/hello", 200_000_000, 405),
        ("POST", "/static/there.txt", 200_000_000, 405),
        ("POST", "/plain", 200_000_000, 400),
        ("POST", "/coroutine", 200_000_000, 400),
        ("POST", "/reading", 200_000_000, 400),
    ],
)
def test_what_is_refused_by_its_head_is_not_asked_for_its_body(
    server: ServerProcess, method: str, target: str, length: int, status: int
) -> None:
    with server.wire() as wire:
        wire.request(method, target, headers={**ORIGIN, "Expect": "100-continue", "Content-Length": str(length)})
        answer = wire.next_answer()
        assert (answer.status, answer.json()["status"]) == (status, status)
        assert answer.header("access-control-allow-origin") == "https://a.example"


@version
@path
def test_a_malformed_form_goes_through_error_handlers_and_middleware(
    server: ServerProcess, path: str, version: str
) -> None:
    headers = {**ORIGIN, "Content-Type": "multipart/form-data; boundary=x"}
    answer = server.ask(path, "POST", headers=headers, body=b"nothing of the kind", version=version)
    assert answer.status == 400
    assert answer.json()["status"] == 400
    assert answer.json()["detail"]
    assert answer.header("access-control-allow-origin") == "https://a.example"


@version
@path
def test_a_body_that_stops_arriving_goes_through_error_handlers_and_middleware(
    server: ServerProcess, path: str, version: str
) -> None:
    headers = {**ORIGIN, "Content-Length": "10"}
    if version == "2":
        with server.http2() as connection:
            answer = connection.answer(connection.begin("POST", path, headers=headers, end=False))
    else:
        with server.wire() as wire:
            wire.request("POST", path, headers=headers)
            answer = wire.answer(to="POST")
            assert wire.is_closed_by_server()
    assert (answer.status, answer.json()["status"]) == (408, 408)
    assert answer.header("access-control-allow-origin") == "https://a.example"
    server.wait_for_output(rf"POST {path} 408 ")


@version
@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/none", 404),
        ("HEAD", "/none", 404),
        ("GET", "/static/none.txt", 404),
        ("POST", "/static/there.txt", 405),
        ("DELETE", "/hello", 405),
        ("GET", "/missing/plain", 404),
        ("GET", "/missing/coroutine", 404),
        ("HEAD", "/missing/coroutine", 404),
        ("GET", "/switch/plain", 426),
        ("GET", "/switch/coroutine", 426),
    ],
)
def test_refusals_have_the_answer_of_the_application_and_a_line_in_the_access_log(
    server: ServerProcess, method: str, target: str, status: int, version: str
) -> None:
    target_now = f"{target}?{version}"
    answer = server.ask(target_now, method, headers=ORIGIN, version=version)
    assert answer.status == status
    assert answer.header("access-control-allow-origin") == "https://a.example"
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert (answer.json()["status"], answer.json()["path"]) == (status, target)
    if status == 405:
        assert answer.header("allow")
    if status == 426:
        assert answer.header("upgrade") == ("toy/1" if version == "1.1" else None)
    server.wait_for_output(rf"{method} {target} {status} {len(answer.body)}B")


@version
@pytest.mark.parametrize("target", ["/file/plain", "/file/coroutine", "/static/there.txt"])
@pytest.mark.parametrize(
    ("condition", "status"),
    [({"Range": "bytes=99-"}, 416), ({"If-Match": '"another"'}, 412)],
    ids=["range", "if-match"],
)
def test_a_file_that_is_not_sent_for_its_conditions_has_the_answer_of_the_application(
    server: ServerProcess, target: str, condition: dict[str, str], status: int, version: str
) -> None:
    answer = server.ask(target, headers={**ORIGIN, **condition}, version=version)
    assert (answer.status, answer.json()["status"], answer.json()["path"]) == (status, status, target)
    assert answer.header("access-control-allow-origin") == "https://a.example"
    assert answer.header("content-range") == ("bytes */5" if status == 416 else None)
    assert answer.header("content-type") == "application/json"
    for name in ("etag", "last-modified", "accept-ranges", "cache-control", "set-cookie"):
        assert answer.header(name) is None, name
    server.wait_for_output(rf"GET {target} {status} {len(answer.body)}B")


@version
@pytest.mark.parametrize("target", ["/vanished/plain", "/vanished/coroutine"])
def test_a_file_that_vanishes_before_it_is_sent_has_the_answer_of_the_application(
    server: ServerProcess, target: str, version: str
) -> None:
    answer = server.ask(target, headers=ORIGIN, version=version)
    assert (answer.status, answer.json()["status"], answer.json()["path"]) == (404, 404, target)
    assert answer.header("access-control-allow-origin") == "https://a.example"
    assert answer.header("content-disposition") is None
    server.wait_for_output(rf"GET {target} 404 {len(answer.body)}B")


@version
@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/page/there", 404, "there"),
        ("/page/vanishes", 404, "Not Found"),
        ("/page/raises", 500, "Internal Server Error"),
        ("/page/stream", 404, "in pieces"),
    ],
)
def test_the_error_handler_of_a_file_that_vanishes_may_answer_in_any_way(
    server: ServerProcess, target: str, status: int, text: str, version: str
) -> None:
    answer = server.ask(target, headers=ORIGIN, version=version)
    assert (answer.status, answer.text) == (status, text)
    assert answer.header("access-control-allow-origin") == "https://a.example"
    assert server.ask("/hello", version=version).text == "hello"


@version
def test_overload_goes_through_error_handlers_and_middleware(tmp_path: Path, version: str) -> None:
    script = tmp_path / "main.py"
    script.write_text(APP)
    certificate, key = self_signed(tmp_path)
    env = {
        "SLIME_TLS_CERT": str(certificate),
        "SLIME_TLS_KEY": str(key),
        "SLIME_ACCESS_LOG": "1",
        "SLIME_POOL_THREADS": "1",
        "SLIME_WORKER_QUEUE_SIZE": "1",
    }
    with ServerProcess(script, env=env, workers=1) as server:
        server.wait_until_serving()
        with server.wire() as first, server.wire() as second:
            first.request("GET", "/held")
            server.wait_for_output("a handler is held")
            second.request("GET", "/held")
            refused = None
            while refused is None:
                # The second may not be in the queue yet: then this one is, and the next one is refused.
                try:
                    refused = server.ask("/held", headers=ORIGIN, version=version, timeout=2)
                except TimeoutError:
                    continue
            assert (refused.status, refused.json()["status"]) == (503, 503)
            assert refused.header("retry-after") == "1"
            assert refused.header("access-control-allow-origin") == "https://a.example"
            server.wait_for_output(rf"GET /held 503 {len(refused.body)}B")
            assert server.ask("/release").status == 200
            assert first.answer().text == "late"


@version
def test_a_path_that_cannot_be_decoded_goes_through_error_handlers(server: ServerProcess, version: str) -> None:
    answer = server.ask("/%ff", headers=ORIGIN, version=version)
    assert (answer.status, answer.json()["status"]) == (400, 400)
    assert answer.header("access-control-allow-origin") == "https://a.example"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        (b"GET /hello HTTP/1.1\r\n", 400),
        (b"POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        (b"POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        (b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n", 400),
    ],
)
def test_a_head_that_breaks_http_goes_through_error_handlers(server: ServerProcess, head: bytes, status: int) -> None:
    with server.wire() as wire:
        wire.send(head + b"Origin: https://a.example\r\n\r\n")
        answer = wire.answer()
        assert wire.is_closed_by_server()
    assert (answer.status, answer.json()["status"]) == (status, status)
    assert answer.json()["detail"]
    assert answer.header("access-control-allow-origin") == "https://a.example"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/head-fault", {f"X-{n}": "x" * 1000 for n in range(64)}),
        ("/head-fault?" + "x" * 10_000, {f"X-{n}": "x" * 1000 for n in range(55)}),
    ],
)
def test_a_head_over_http2_that_is_too_large_goes_through_error_handlers(
    server: ServerProcess, target: str, headers: dict[str, str]
) -> None:
    with server.http2() as connection:
        answer = connection.ask("GET", target, headers={**ORIGIN, **headers})
        assert (answer.status, answer.json()["status"]) == (431, 431)
        assert answer.header("access-control-allow-origin") == "https://a.example"
        assert connection.ask("GET", "/hello").text == "hello"
    server.wait_for_output(rf"GET /head-fault 431 {len(answer.body)}B")


def test_a_host_that_is_not_the_authority_goes_through_error_handlers(server: ServerProcess) -> None:
    with server.http2(validate=False) as connection:
        answer = connection.ask("GET", "/host-fault", headers={**ORIGIN, "Host": "elsewhere.example"})
    assert (answer.status, answer.json()["status"]) == (400, 400)
    assert answer.header("access-control-allow-origin") == "https://a.example"
    server.wait_for_output(rf"GET /host-fault 400 {len(answer.body)}B")


@version
def test_a_stream_is_logged_at_its_end_with_its_bytes(server: ServerProcess, version: str) -> None:
    assert len(server.ask("/stream", version=version).body) == 100
    server.wait_for_output(r"GET /stream 200 100B [\d.]+ms\n")


@pytest.mark.parametrize(("version", "path"), [("1.1", "/hello"), ("2", "/hello/again")])
def test_head_is_logged_without_bytes(server: ServerProcess, version: str, path: str) -> None:
    assert server.ask(path, "HEAD", version=version).status == 200
    server.wait_for_output(rf"HEAD {path} 200 0B [\d.]+ms\n")


def test_a_client_that_leaves_a_stream_is_logged_as_aborted(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.request("GET", "/endless")
        wire.exactly(100_000)
    size = int(server.wait_for_output(r"GET /endless 200 (\d+)B [\d.]+ms aborted\n")[1])
    assert size >= 90_000


@version
def test_a_client_that_leaves_a_large_answer_is_logged_with_what_it_has_taken(
    server: ServerProcess, version: str
) -> None:
    start = len(server.output)
    if version == "2":
        with server.http2(reads=False) as connection:
            assert connection.head(connection.begin("GET", "/large")) == 200
    else:
        with server.wire() as wire:
            wire.request("GET", "/large")
            wire.exactly(1000)
    eventually(lambda: " aborted\n" in server.output[start:])
    size = re.search(r"GET /large 200 (\d+)B [\d.]+ms aborted\n", server.output[start:])
    assert size is not None
    assert int(size[1]) < 15_000_000


def test_a_client_that_leaves_before_the_answer_is_logged_as_499(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.request("GET", "/wait")
        server.wait_for_output("the handler waits")
    server.wait_for_output(r"GET /wait 499 0B [\d.]+ms aborted\n")
    assert server.ask("/release").status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"no request at all\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n", 408),
    ],
)
def test_what_the_server_answers_without_a_request_is_logged(server: ServerProcess, sent: bytes, status: int) -> None:
    with server.wire() as wire:
        wire.send_until_refused(sent)
        answer = wire.answer()
        assert wire.is_closed_by_server()
    assert (answer.status, answer.header("connection")) == (status, "close")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("date")
    assert answer.text.endswith("\n")
    server.wait_for_output(rf"slimeweb.access: \S+ - - {status} {len(answer.body)}B")


def test_a_target_that_is_too_long_is_answered_and_logged_as_such(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(APP)
    with ServerProcess(script, env={"SLIME_ACCESS_LOG": "1", "SLIME_HEAD_SIZE": "100000"}) as server:
        server.wait_until_serving()
        with server.wire() as wire:
            # Behind a good one, whose answer is not touched.
            wire.request("GET", "/hello")
            wire.request("GET", "/" + "x" * 66_000)
            assert wire.answer().text == "hello"
            answer = wire.answer()
            assert wire.is_closed_by_server()
        assert (answer.status, answer.text) == (414, "the request target is longer than 65534 bytes\n")
        server.wait_for_output(rf"slimeweb.access: \S+ - - 414 {len(answer.body)}B")


@version
@pytest.mark.parametrize("end", ["closed", "reset"])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/plain", "/coroutine", "/reading", "/pieces/plain", "/pieces/coroutine"])
def test_a_client_that_leaves_in_its_upload_is_logged_as_499(
    server: ServerProcess, path: str, kind: str, end: str, version: str
) -> None:
    start = len(server.output)
    headers = {"Content-Type": kind, "Content-Length": "500"}
    sent = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nvalue"
    # A reset takes with it what the server has not read yet. When another request is answered, it has read the upload's
    # beginning.
    if version == "2":
        with server.http2() as connection:
            stream = connection.begin("POST", path, headers=headers, end=False)
            connection.send(stream, sent)
            assert connection.ask("GET", "/hello").status == 200
            if end == "reset":
                connection.h2.reset_stream(stream)
                connection.flush()
                # Not by the end of the connection.
                eventually(lambda: f"POST {path} " in server.output[start:])
    else:
        with server.wire() as wire:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"GET /hello HTTP/1.1\r\nHost: t\r\n\r\nPOST {path} HTTP/1.1\r\nHost: t\r\n{lines}\r\n"
            wire.send(head.encode() + sent)
            assert wire.answer().status == 200
            if end == "reset":
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually(lambda: f"POST {path} " in server.output[start:])
    assert re.search(rf"POST {path} 499 0B [\d.]+ms aborted\n", server.output[start:]), server.output[start:]


def test_a_request_that_names_no_path_is_logged_with_a_dash(server: ServerProcess) -> None:
    with server.wire() as wire:
        wire.socket.sendall(b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n")
        assert wire.answer(to="GET").status == 400
    server.wait_for_output(r"slimeweb.access: \S+ CONNECT - 400 \d+B")
