"""Compressed responses, over a real socket."""

from __future__ import annotations

import asyncio
import http.client
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slimeweb import Slime, SlimeCompression, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient, TestResponse
from slimeweb_compress import Compress

Decode = Callable[..., bytes]

CODINGS = ("gzip", "br", "zstd")
TEXT = "hello" * 5000
LARGE = "".join(f"line {n} of a text, {n * 2654435761 % 2**32}\n" for n in range(12_000))


def make_app() -> Slime:
    app = Slime(__file__)

    @app.route(path="/gzip", method="GET", compression=SlimeCompression.Gzip)
    def readme(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(TEXT)

    @app.route(path="/level", compression=SlimeCompression.Gzip, comp_level=9)
    def level(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(LARGE)

    @app.route(path="/fast", compression=SlimeCompression.Gzip)
    def fast(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(LARGE)

    @app.route(path="/all", compression=SlimeCompression.All)
    async def everything(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(LARGE)

    @app.route(path="/size/{size:int}", compression=SlimeCompression.All)
    def size(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain("x" * req.params["size"])

    @app.route(path="/always", compression=SlimeCompression.Gzip, comp_threshold=0)
    def always(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(req.query.get("body", "x"))

    @app.route(path="/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(TEXT)

    @app.route(path="/with", method=["GET", "POST"], compression=SlimeCompression.Gzip)
    def with_headers(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.bytes(
            TEXT.encode(), status=int(req.query.get("status", "200")), content_type=req.query.get("type", "text/plain")
        )
        for name in (
            "Cache-Control",
            "Vary",
            "ETag",
            "Content-Encoding",
            "Content-Range",
            "Accept-Ranges",
            "Content-Digest",
        ):
            if name in req.query:
                resp.set_header(name, req.query[name])

    @app.route(path="/stream", compression=SlimeCompression.All)
    def stream(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        resp.set_header("Content-Type", "text/plain")
        writer.start()
        for n in range(5):
            writer.write(f"piece {n}\n".encode())
            # The next piece is written once the client has decoded this one: what a flush is for.
            if not req.app.state["turn"].acquire(timeout=10):
                return
        writer.close()

    @app.route(path="/drip", compression=SlimeCompression.All)
    async def drip(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        for line in LARGE.encode().splitlines(keepends=True)[:500]:
            while not writer.try_write(line):
                await writer.drain()
        await asyncio.sleep(0)
        writer.close()

    @app.route(path="/file", compression=SlimeCompression.All)
    def file(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.file(Path(__file__))

    return app


@pytest.fixture(scope="module")
def app() -> Slime:
    app = make_app()
    app.state["turn"] = threading.Semaphore(0)
    return app


@pytest.fixture(scope="module")
def client(app: Slime) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def get(client: TestClient, path: str, accept: str | None = "gzip", method: str = "GET", **params: str) -> TestResponse:
    headers = {} if accept is None else {"Accept-Encoding": accept}
    return client.request(method, path, headers=headers or {"accept-encoding": ""}, params=params or None)


def test_the_readmes_example(client: TestClient, decode: Decode) -> None:
    response = get(client, "/gzip")
    assert response.status_code == 200
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert int(response.headers["content-length"]) == len(response.content) < len(TEXT) // 10
    assert decode("gzip", response.content).decode() == TEXT


@pytest.mark.parametrize("accept", ["", "identity", "br", "gzip;q=0", "deflate"])
def test_a_client_that_does_not_ask_gets_the_body_as_it_is(client: TestClient, accept: str) -> None:
    response = get(client, "/gzip", accept)
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.text == TEXT


def test_a_higher_level_is_smaller(client: TestClient) -> None:
    assert len(get(client, "/level").content) < len(get(client, "/fast").content)


@pytest.mark.parametrize("coding", CODINGS)
def test_all_gives_each_client_its_own(client: TestClient, decode: Decode, coding: str) -> None:
    """On the event loop, with a body that is large enough to go to the pool."""
    response = get(client, "/all", coding)
    assert response.headers["content-encoding"] == coding
    assert int(response.headers["content-length"]) == len(response.content)
    assert decode(coding, response.content).decode() == LARGE


def test_all_picks_zstd_of_equals(client: TestClient) -> None:
    assert get(client, "/all", "gzip, deflate, br, zstd").headers["content-encoding"] == "zstd"
    assert get(client, "/all", "gzip, br").headers["content-encoding"] == "br"
    assert get(client, "/all", "gzip, br;q=0.5").headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(("size", "expected"), [(1, None), (1023, None), (1024, "gzip"), (100_000, "gzip")])
def test_small_bodies_are_left_alone(client: TestClient, size: int, expected: str | None) -> None:
    response = get(client, f"/size/{size}")
    assert response.headers.get("content-encoding") == expected
    assert response.headers["vary"] == "Accept-Encoding"


def test_a_client_that_refuses_identity_gets_small_bodies_compressed(client: TestClient, decode: Decode) -> None:
    response = get(client, "/size/3", "gzip, identity;q=0")
    assert decode("gzip", response.content) == b"xxx"


def test_the_threshold_can_be_set(client: TestClient, decode: Decode) -> None:
    assert decode("gzip", get(client, "/always").content) == b"x"
    empty = get(client, "/always", body="")
    assert "content-encoding" not in empty.headers
    assert empty.content == b""


def test_routes_without_compression_say_nothing_of_it(client: TestClient) -> None:
    response = get(client, "/plain")
    assert "content-encoding" not in response.headers
    assert "vary" not in response.headers


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png",
        "image/webp; x=y",
        "IMAGE/JPEG",
        "video/mp4",
        "audio/mpeg",
        "font/woff2",
        "application/zip",
        "application/gzip",
        "application/x-7z-compressed",
        "application/epub+zip",
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ],
)
def test_types_that_are_compressed_already(client: TestClient, content_type: str) -> None:
    response = get(client, "/with", type=content_type)
    assert "content-encoding" not in response.headers
    assert "vary" not in response.headers
    assert response.text == TEXT


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "image/svg+xml",
        "text/event-stream",
        "application/wasm",
        "font/ttf",
        "audio/wav",
        "application/zipcode",
    ],
)
def test_types_that_are_not(client: TestClient, content_type: str) -> None:
    assert get(client, "/with", type=content_type).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Encoding", "deflate"),
        ("Cache-Control", "public, no-transform"),
        ("Content-Digest", "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"),
    ],
)
def test_what_the_handler_reserves(client: TestClient, name: str, value: str) -> None:
    response = client.get("/with", headers={"Accept-Encoding": "gzip"}, params={name: value})
    assert response.headers[name.lower()] == value
    assert response.content == TEXT.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [("Origin", "Origin, Accept-Encoding"), ("origin, accept-encoding", "origin, accept-encoding"), ("*", "*")],
)
def test_vary_is_kept(client: TestClient, before: str, after: str) -> None:
    assert get(client, "/with", Vary=before).headers["vary"] == after


@pytest.mark.parametrize(("before", "after"), [('"v1"', 'W/"v1"'), ('W/"v1"', 'W/"v1"')])
def test_an_etag_becomes_weak(client: TestClient, before: str, after: str) -> None:
    assert get(client, "/with", ETag=before).headers["etag"] == after
    assert get(client, "/with", "identity", ETag=before).headers["etag"] == before


def test_parts_are_left_alone(client: TestClient) -> None:
    response = get(client, "/with", status="206", **{"Content-Range": f"bytes 0-{len(TEXT) - 1}/99999"})
    assert response.status_code == 206
    assert "content-encoding" not in response.headers
    assert response.text == TEXT
    assert "accept-ranges" not in get(client, "/with", **{"Accept-Ranges": "bytes"}).headers
    assert get(client, "/with", "identity", **{"Accept-Ranges": "bytes"}).headers["accept-ranges"] == "bytes"


def test_errors_are_compressed_too(client: TestClient, decode: Decode) -> None:
    response = get(client, "/with", status="404")
    assert response.status_code == 404
    assert decode("gzip", response.content).decode() == TEXT


@pytest.mark.parametrize("status", ["204", "304"])
def test_statuses_without_a_body(client: TestClient, status: str) -> None:
    response = get(client, "/with", status=status)
    assert response.status_code == int(status)
    assert response.content == b""
    assert "content-encoding" not in response.headers
    assert get(client, "/gzip").status_code == 200


def test_head_says_what_get_would(client: TestClient) -> None:
    of_get, of_head = get(client, "/gzip"), get(client, "/gzip", method="HEAD")
    assert of_head.content == b""
    drop = {"date"}
    assert {k: v for k, v in of_head.headers.items() if k not in drop} == {
        k: v for k, v in of_get.headers.items() if k not in drop
    }


def test_files_keep_their_ranges(client: TestClient) -> None:
    response = client.get("/file", headers={"Accept-Encoding": "gzip", "Range": "bytes=3-9"})
    assert response.status_code == 206
    assert response.content == Path(__file__).read_bytes()[3:10]


@pytest.mark.parametrize("coding", CODINGS)
def test_each_piece_of_a_stream_can_be_decoded_when_it_comes(
    app: Slime, client: TestClient, coding: str, decode_steps: Callable[..., list[bytes]]
) -> None:
    # Where there is no decoder this skips, and it has to before a handler waits for its turn.
    assert decode_steps(coding, []) == []
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    try:
        connection.request("GET", "/stream", headers={"Accept-Encoding": coding})
        response = connection.getresponse()
        assert response.getheader("Content-Encoding") == coding
        assert response.getheader("Vary") == "Accept-Encoding"
        assert response.getheader("Content-Length") is None

        def pieces() -> Iterator[bytes]:
            while piece := response.read1():
                yield piece

        received = pieces()
        sent: list[bytes] = []
        for n in range(5):
            while b"".join(decode_steps(coding, sent)) != b"".join(b"piece %d\n" % each for each in range(n + 1)):
                sent.append(next(received))
            app.state["turn"].release()
        sent.extend(received)
        assert b"".join(decode_steps(coding, sent)) == b"".join(b"piece %d\n" % each for each in range(5))
    finally:
        connection.close()


@pytest.mark.parametrize("coding", CODINGS)
def test_an_asynchronous_stream(client: TestClient, decode: Decode, coding: str) -> None:
    response = get(client, "/drip", coding)
    assert response.headers["content-encoding"] == coding
    assert decode(coding, response.content) == b"".join(LARGE.encode().splitlines(keepends=True)[:500])


def test_many_clients_at_once(client: TestClient, decode: Decode) -> None:
    def ask(n: int) -> bool:
        coding = ("gzip", "br", "zstd", "identity")[n % 4]
        response = get(client, ("/all", "/drip")[n % 2 if coding != "identity" else 0], coding)
        body = response.content if coding == "identity" else decode(coding, response.content)
        return LARGE.encode().startswith(body) and len(body) > 10_000

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))


@pytest.mark.parametrize("coding", CODINGS)
def test_curl_decodes_it(client: TestClient, coding: str) -> None:
    try:
        known = subprocess.run(["curl", "-V"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("missing tool: curl")
    if {"br": "brotli", "zstd": "zstd"}.get(coding, "libz") not in known.split():
        pytest.skip(f"this curl does not know {coding}")
    arguments = [
        "curl",
        "-sS",
        "--compressed",
        "-H",
        f"Accept-Encoding: {coding}",
        "--max-time",
        "20",
        "-w",
        "%{size_download}",
    ]
    done = subprocess.run([*arguments, f"{client.url}/all"], capture_output=True, check=True)
    body, size = done.stdout[: len(LARGE)], done.stdout[len(LARGE) :]
    assert body.decode() == LARGE
    assert int(size) < len(LARGE) // 2


def test_compress_for_the_whole_application(decode: Decode) -> None:
    app = Slime(__file__)

    @app.route(path="/", method=["GET", "POST"])
    def home(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(TEXT)

    @app.route(path="/off", compression=SlimeCompression.NoCompression)
    async def off(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(TEXT)

    app.use(Compress(), method="GET")
    with TestClient(app) as client:
        compressed = get(client, "/", "gzip, zstd")
        assert compressed.headers["content-encoding"] == "zstd"
        assert decode("zstd", compressed.content).decode() == TEXT
        assert get(client, "/", method="HEAD").headers["content-encoding"] == "gzip"
        assert "content-encoding" not in get(client, "/", method="POST").headers
        assert "vary" not in get(client, "/off").headers


def test_a_304_without_a_body_has_the_vary_of_the_whole_answer() -> None:
    app = Slime(__file__)

    @app.route("/plain", compression=SlimeCompression.All)
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_status(304)

    @app.route("/coroutine", compression=SlimeCompression.All)
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_status(304)

    with TestClient(app) as client:
        for path in ("/plain", "/coroutine"):
            answer = client.get(path, headers={"Accept-Encoding": "gzip"})
            assert (answer.status_code, answer.content) == (304, b"")
            assert "accept-encoding" in [value.lower() for value in answer.header_all("vary")]
            assert "content-encoding" not in answer.headers
