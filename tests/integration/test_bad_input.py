"""The bad input table: what a client may send wrong, and the clear answer it gets (Done when, line 5).

Every row is asked of one server, and after all of them that server must answer as before and hold nothing more than
before: no descriptor, no thread, no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import multipart
from support.condition import eventually
from support.process import TOUR, ServerProcess

MIB = 1024 * 1024
TIMEOUT = "1"

CLOSED, OPEN = True, False


@dataclass(frozen=True)
class Row:
    """What is sent, the status it gets (None: closed without an answer), and whether the connection ends there."""

    name: str
    sent: bytes
    status: int | None
    closed: bool = CLOSED
    target: str = ""


def get(*lines: str, target: str = "/ping") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def post(*lines: str, body: bytes = b"", target: str = "/echo") -> bytes:
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: t", *lines, "", ""]).encode("latin-1") + body


def chunked(body: bytes, target: str = "/echo") -> bytes:
    return post("Transfer-Encoding: chunked", body=body, target=target)


HOST = "Host: t"

REQUEST_LINE = [
    Row("no version", b"GET /ping\r\nHost: t\r\n\r\n", 400),
    Row("one word", b"GET\r\n\r\n", 400),
    Row("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), 400),
    Row("unknown version", b"GET /ping HTTP/3.0\r\nHost: t\r\n\r\n", 400),
    Row("version of letters", b"GET /ping HTTP/x.y\r\nHost: t\r\n\r\n", 400),
    Row("lower case version", b"GET /ping http/1.1\r\nHost: t\r\n\r\n", 400),
    Row("two spaces", b"GET  /ping HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    Row("space in the target", b"GET /pi ng HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    Row("NUL in the target", b"GET /pi\x00ng HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    Row("no slash before the target", b"GET ping HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    Row("method that is no token", b"G@T /ping HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    Row("HTTP/2 preface without TLS", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 32, None),
    Row("bad percent-encoding", get(HOST, target="/users/%zz"), 400, OPEN),
    Row("percent at the end", get(HOST, target="/users/%"), 400, OPEN),
    Row("bad UTF-8 in the path", get(HOST, target="/users/%ff%fe"), 400, OPEN),
    Row("overlong UTF-8 in the path", get(HOST, target="/users/%c0%af"), 400, OPEN),
    Row("raw bytes in the path", b"GET /users/\xff\xfe HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    Row("target of 100 kB", get(HOST, target="/" + "a" * 100_000), 431),
    Row("CONNECT", b"CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\n\r\n", 400),
    Row("unknown method on a known path", b"BREW /ping HTTP/1.1\r\nHost: t\r\n\r\n", 405, OPEN),
    Row("asterisk with GET", b"GET * HTTP/1.1\r\nHost: t\r\n\r\n", 400),
]

HOSTS = [
    Row("no Host", get(), 400),
    Row("two Hosts", get(HOST, "Host: t"), 400),
    Row("two Hosts in one", get("Host: a, b"), 400),
    Row("Host with a path", get("Host: t/x"), 400),
    Row("Host with a space", get("Host: t t"), 400),
    Row("Host with a user", get("Host: u@t"), 400),
    Row("Host with a bad port", get("Host: t:http"), 400),
    Row("Host with an open bracket", get("Host: [::1"), 400),
    Row("Host that differs from the absolute target", get("Host: a b", target="http://t/ping"), 400),
    Row("user in an absolute target", get(HOST, target="http://u:p@t/ping"), 400, OPEN),
    Row("bad host in an absolute target", get(HOST, target="http://t:123456/ping"), 400, OPEN),
    Row("absolute target of another scheme", get(HOST, target="ftp://t/ping"), 400, OPEN),
    Row("CONNECT to a path", b"CONNECT /ping HTTP/1.1\r\nHost: t\r\n\r\n", 400, OPEN),
    Row("CONNECT to an absolute target", b"CONNECT http://t/ping HTTP/1.1\r\nHost: t\r\n\r\n", 400, OPEN),
]

FIELDS = [
    Row("NUL in a value", get(HOST, "X: a\x00b"), 400),
    Row("bare CR in a value", get(HOST, "X: a\rb"), 400),
    Row("CR and a forged field", get(HOST, "X: a\rContent-Length: 5"), 400),
    Row("bare LF", b"GET /ping HTTP/1.1\nHost: t\n\n", 400),
    Row("name with a space", get(HOST, "X Y: 1"), 400),
    Row("space before the colon", get(HOST, "X : 1"), 400),
    Row("no colon", get(HOST, "nonsense"), 400),
    Row("empty name", get(HOST, ": 1"), 400),
    Row("folded line", get(HOST, "X: 1", " 2"), 400),
    Row("folded first line", b"GET /ping HTTP/1.1\r\n Host: t\r\n\r\n", 400),
    Row("name with a NUL", get(HOST, "X\x00: 1"), 400),
    Row("name that is not ASCII", get(HOST, "X\xe9: 1"), 400),
    Row("head of 2 MB in one field", get(HOST, "X: " + "a" * 2 * MIB), 431),
    Row("head of 2 MB in many fields", get(HOST, *(f"X-{n}: {'a' * 1000}" for n in range(2_000))), 431),
    Row("ten thousand fields", get(HOST, *(f"X-{n}: 1" for n in range(10_000))), 431),
    Row("endless field without an end of line", b"GET /ping HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 2 * MIB, 431),
]

LENGTHS = [
    Row("length of letters", post("Content-Length: five", body=b"hello"), 400),
    Row("negative length", post("Content-Length: -5", body=b"hello"), 400),
    Row("length with a plus", post("Content-Length: +5", body=b"hello"), 400),
    Row("hexadecimal length", post("Content-Length: 0x5", body=b"hello"), 400),
    Row("length with a fraction", post("Content-Length: 5.0", body=b"hello"), 400),
    Row("empty length", post("Content-Length: ", body=b"hello"), 400),
    Row("length in a list", post("Content-Length: 5,5", body=b"hello"), 400),
    Row("two lengths that differ", post("Content-Length: 5", "Content-Length: 6", body=b"hello!"), 400),
    Row("length beyond 64 bits", post("Content-Length: 99999999999999999999", body=b"hello"), 400),
    Row("length over the limit", post(f"Content-Length: {MIB + 1}"), 400),
    Row("length longer than the body", post("Content-Length: 10", body=b"hello"), 408),
    Row("length beside chunks", post("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    Row("chunks beside length", post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"), 400),
]

# A coding that does not end in chunked leaves the length open: 400. One that does, and is unknown: 501 (RFC 9112, 6.1).
CODINGS = [
    Row("coding that is not known", post("Transfer-Encoding: gzip", body=b"x"), 400),
    Row("known after unknown coding", post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    Row("chunked twice in one", post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 501),
    Row(
        "chunked twice in two", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400
    ),
    Row("chunked and then identity", post("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 400),
    Row("nearly chunked", post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 400),
    Row("chunked with a prefix character", post("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    Row("identity", post("Transfer-Encoding: identity", body=b"x"), 400),
    Row("empty coding", post("Transfer-Encoding: ", body=b"x"), 400),
    Row("chunked in HTTP/1.0", b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    Row("chunked with a space before the colon", post("Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
]

CHUNKS = [
    Row("size of letters", chunked(b"zz\r\nhello\r\n0\r\n\r\n"), 400),
    Row("empty size", chunked(b"\r\nhello\r\n0\r\n\r\n"), 400),
    Row("negative size", chunked(b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    Row("size with 0x", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    Row("size of 17 digits", chunked(b"1" + b"0" * 16 + b"\r\nhello"), 400),
    Row("no CRLF after the data", chunked(b"5\r\nhelloXX0\r\n\r\n"), 400),
    Row("data longer than its size", chunked(b"3\r\nhello\r\n0\r\n\r\n"), 400),
    Row("bare LF after the size", chunked(b"5\nhello\r\n0\r\n\r\n"), 400),
    Row("endless extension", chunked(b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n"), 400),
    Row("endless trailers", chunked(b"0\r\n" + b"X: " + b"a" * 200_000), 400),
    Row("ends in the middle", chunked(b"5\r\nhel"), 408),
    Row("ends before the last chunk", chunked(b"5\r\nhello\r\n"), 408),
    Row("broken chunks for a streaming handler", chunked(b"zz\r\n", target="/digest"), 400, target="/digest"),
    Row("broken chunks for a handler that does not read", chunked(b"zz\r\n", target="/boom"), None),
]

SLOW = [
    Row("head that stops", b"GET /ping HTTP/1.1\r\nHost: t\r\nX:", 408),
    Row("request line that stops", b"GET /pi", 408),
    Row("body that stops", post("Content-Length: 100", body=b"a"), 408),
    Row("streamed body that stops", post("Content-Length: 100", body=b"a", target="/digest"), 408, target="/digest"),
    Row(
        "multipart that stops",
        post(
            f"Content-Type: {multipart.CONTENT_TYPE}",
            "Content-Length: 5000",
            body=multipart.file("f", "x", b"half"),
            target="/upload",
        ),
        408,
    ),
    Row("nothing at all", b"", None),
    Row("an empty line and nothing more", b"\r\n", None),
]

CONTENT = [
    Row(
        "bad UTF-8 in JSON",
        post("Content-Type: application/json", "Content-Length: 3", body=b'"\xff"', target="/json"),
        400,
        OPEN,
    ),
    Row("bad UTF-8 in text", post("Content-Length: 1", body=b"\xff", target="/text"), 400, OPEN),
    Row(
        "malformed JSON",
        post("Content-Type: application/json", "Content-Length: 1", body=b"{", target="/json"),
        400,
        OPEN,
    ),
    Row(
        "unknown charset",
        post("Content-Type: text/plain; charset=klingon", "Content-Length: 1", body=b"a", target="/text"),
        415,
        OPEN,
    ),
    Row("header injection from a handler", get(HOST, target="/header?value=a%0d%0aX-Injected:%201"), 500, OPEN),
    Row("error in a handler", get(HOST, target="/boom"), 500, OPEN),
]

TABLE = [*REQUEST_LINE, *HOSTS, *FIELDS, *LENGTHS, *CODINGS, *CHUNKS, *SLOW, *CONTENT]

ODD_BUT_GOOD = [
    Row("absolute target", get(HOST, target="http://t/ping"), 200, OPEN),
    Row("absolute target in capitals", get(HOST, target="HTTPS://T:443/ping"), 200, OPEN),
    Row("empty lines before the request", b"\r\n\r\n" + get(HOST), 200, OPEN),
    Row("fifty fields", get(HOST, *(f"X-{n}: 1" for n in range(50))), 200, OPEN),
    Row("value that is not ASCII", get(HOST, "X: \xe9"), 200, OPEN),
    Row("Host of IPv6", get("Host: [::1]:3000"), 200, OPEN),
    Row("empty Host", get("Host: "), 200, OPEN),
    Row("chunk extension", chunked(b"5;a=b\r\nhello\r\n0\r\n\r\n"), 200, OPEN),
    Row("size with leading zeros", chunked(b"0000005\r\nhello\r\n0\r\n\r\n"), 200, OPEN),
    Row("trailers", chunked(b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n"), 200, OPEN),
    Row("CHUNKED", post("Transfer-Encoding: CHUNKED", body=b"0\r\n\r\n"), 200, OPEN),
    Row("two lengths that agree", post("Content-Length: 5", "Content-Length: 5", body=b"hello"), 200, OPEN),
    Row("body with GET", get(HOST, "Content-Length: 5") + b"hello", 200, OPEN),
    Row(
        "bad UTF-8 in a form",
        post("Content-Type: application/x-www-form-urlencoded", "Content-Length: 3", body=b"a=\xff", target="/form"),
        200,
        OPEN,
    ),
    Row("close", get(HOST, "Connection: close"), 200, CLOSED),
]


@pytest.fixture(scope="module")
def uploads_of_strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads-of-strict")


@pytest.fixture(scope="module")
def strict(uploads_of_strict: Path) -> Iterator[ServerProcess]:
    """A tour with short time limits. Once all rows have been asked, nothing of them may be left."""
    env = {
        "SLIME_HEAD_TIMEOUT": TIMEOUT,
        "SLIME_BODY_TIMEOUT": TIMEOUT,
        "SLIME_IDLE_TIMEOUT": "60",
        "SLIME_POOL_THREADS": "4",
        "SLIME_UPLOAD_DIR": str(uploads_of_strict),
    }
    server = ServerProcess(TOUR, env=env)
    try:
        server.wait_until_serving()
        _wake_every_thread(server)
        before = server.footprint()
        yield server
        assert server.ask("/ping").text == "pong"
        eventually(
            lambda: server.footprint().descriptors <= before.descriptors, what="no descriptor is left", within=15
        )
        eventually(lambda: server.footprint().threads <= before.threads, what="no thread is left", within=15)
        left = [path for path in uploads_of_strict.rglob("*") if path.is_file()]
        assert not left
        assert "panicked" not in server.output
        assert server.stop() == 0, server.output
    finally:
        server.kill()


def _wake_every_thread(server: ServerProcess) -> None:
    """Threads that are made when first needed are no leak: have them all made before counting."""
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: server.ask("/sleep/0.05").status == 200, range(64)))
    body = multipart.body([multipart.file("file", "x", bytes(MIB))])
    assert server.ask("/upload", "POST", headers={"Content-Type": multipart.CONTENT_TYPE}, body=body).status == 200


def ask(server: ServerProcess, row: Row) -> None:
    with server.wire(timeout=8) as wire:
        wire.send_until_refused(row.sent)
        if row.status is None:
            try:
                while wire.socket.recv(65_536):
                    pass
            except ConnectionResetError:
                pass
            return
        answer = wire.answer()
        assert answer.status == row.status, answer
        if answer.body:
            assert str(answer.header("content-type")).startswith("text/plain") or row.status < 400
            assert len(answer.body) <= 300
            assert not any(word in answer.text for word in ("Traceback", "panicked", ".rs", ".py", "Error("))
        assert answer.header("x-injected") is None
        if row.closed:
            # A handler that was reading a stream answers before anybody knows that the connection cannot go on.
            assert answer.header("connection") == "close" or row.target == "/digest"
            assert wire.is_closed_by_server()
        else:
            wire.request("GET", "/users/7")
            assert wire.answer().json() == {"by": "id", "id": 7}, "the connection goes on, in step"


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_bad_input_gets_a_clear_answer(strict: ServerProcess, row: Row) -> None:
    ask(strict, row)


@pytest.mark.parametrize("row", ODD_BUT_GOOD, ids=[row.name for row in ODD_BUT_GOOD])
def test_odd_input_that_is_allowed_is_answered(strict: ServerProcess, row: Row) -> None:
    ask(strict, row)


def test_options_of_the_server_as_a_whole(strict: ServerProcess) -> None:
    answer = strict.ask("*", "OPTIONS")
    assert answer.status in (200, 204)


@pytest.mark.parametrize("bad", [row for row in TABLE if row.status == 400], ids=lambda row: row.name)
def test_a_bad_request_between_good_ones(strict: ServerProcess, bad: Row) -> None:
    """The good one before it is answered first; the one behind it is answered only if the connection is still safe."""
    with strict.wire(timeout=8) as wire:
        wire.send_until_refused(get(HOST, target="/users/1") + bad.sent + get(HOST, target="/users/2"))
        assert wire.answer().json() == {"by": "id", "id": 1}
        assert wire.answer().status == 400
        if bad.closed:
            assert wire.is_closed_by_server()
        else:
            assert wire.answer().json() == {"by": "id", "id": 2}


@pytest.mark.parametrize(
    "sent",
    [
        post(
            "Content-Length: 44",
            "Transfer-Encoding: chunked",
            body=b"0\r\n\r\nGET /users/666 HTTP/1.1\r\nHost: t\r\n\r\n",
        ),
        post(
            "Transfer-Encoding: chunked",
            "Content-Length: 4",
            body=b"27\r\nGET /users/666 HTTP/1.1\r\nHost: t\r\n\r\n\r\n0\r\n\r\n",
        ),
        post(
            "Transfer-Encoding: xchunked",
            "Content-Length: 5",
            body=b"0\r\n\r\nGET /users/666 HTTP/1.1\r\nHost: t\r\n\r\n",
        ),
    ],
    ids=["length and chunks", "chunks and length", "nearly chunked"],
)
def test_no_request_is_smuggled_in_a_body(strict: ServerProcess, sent: bytes) -> None:
    with strict.wire(timeout=8) as wire:
        wire.send_until_refused(sent)
        answer = wire.answer()
        assert answer.status in (400, 501)
        assert b"666" not in answer.body
        assert wire.is_closed_by_server(), "nothing behind such a head is taken for a request"


def test_the_early_end_of_a_client_is_no_harm(strict: ServerProcess) -> None:
    """Each request of the table cut at some places, the connection then closed by the client."""
    for row in TABLE:
        for cut in {1, len(row.sent) // 2, max(len(row.sent) - 1, 0)}:
            with strict.wire() as wire:
                wire.send_until_refused(row.sent[: min(cut, 100_000)])
    assert strict.ask("/ping").text == "pong"


def test_a_client_that_trickles_its_head_is_still_cut_off(strict: ServerProcess) -> None:
    """The limit is for the head as a whole: a byte now and then does not stretch it."""
    with strict.wire(timeout=0.2) as wire:
        wire.send(b"GET /ping HTTP/1.1\r\nHost: t\r\n")
        for _ in range(25):
            try:
                wire.send(b"X")
                wire.answer()
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError, EOFError):
                return
            return
    pytest.fail("five seconds for a head that may take one")


def test_an_idle_connection_is_closed() -> None:
    with ServerProcess(TOUR, env={"SLIME_IDLE_TIMEOUT": "1"}) as server, server.wait_until_serving().wire(8) as wire:
        wire.request("GET", "/ping")
        assert wire.answer().text == "pong"
        assert wire.is_closed_by_server()


def test_connections_beyond_the_limit_wait_their_turn() -> None:
    with ServerProcess(TOUR, env={"SLIME_MAX_CONNECTIONS": "2"}) as server:
        server.wait_until_serving()
        with server.wire() as first, server.wire() as second, server.wire(timeout=0.5) as third:
            for wire in (first, second):
                wire.request("GET", "/ping")
                assert wire.answer().text == "pong"
            third.request("GET", "/ping")
            with pytest.raises(TimeoutError):
                third.answer()
            first.close()
            third.socket.settimeout(10)
            assert third.answer().text == "pong"
