"""Transformations of bodies."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.errors import PluginError
from slimeweb.plugin import Cors
from slimeweb.testing import TestClient
from support.crew import at_once
from support.toys import app_with, both, hesitant, kind, raw, read_until, toy, written
from support.versions import VERSIONS, served

LETTERS = bytes(range(65, 91)), bytes(range(97, 123))
ROT13 = bytes.maketrans(b"".join(LETTERS), b"".join(alphabet[13:] + alphabet[:13] for alphabet in LETTERS))


class Rot13Encoder:
    """Holds its last byte back until `flush` or `finish`, as compressors do with more."""

    def __init__(self, thread_of: list[int]) -> None:
        self._held = b""
        self._threads = thread_of

    def push(self, data: bytes) -> bytes:
        self._threads.append(threading.get_ident())
        data = self._held + data
        self._held = data[-1:]
        return data[:-1].translate(ROT13)

    def flush(self) -> bytes:
        held, self._held = self._held, b""
        return held.translate(ROT13)

    def finish(self) -> bytes:
        return self.flush()


class Rot13:
    """Notes the lengths that it is told, and the threads that its encoders run on."""

    def __init__(self) -> None:
        self.lengths: list[int | None] = []
        self.threads: list[int] = []

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Rot13Encoder | None:
        self.lengths.append(length)
        if request.header.get("x-plain"):
            return None
        response.set_header("Content-Encoding", "rot13")
        return Rot13Encoder(self.threads)


def filtering(*filters: Any) -> Slime:
    plugins = [toy(f"Filter{number}", slime_body_filter=lambda each=each: each) for number, each in enumerate(filters)]
    return app_with(*plugins, kind("written", written))


def test_slime_body_filter_transforms_bodies_in_memory() -> None:
    rot13 = Rot13()
    app = filtering(rot13)

    @app.route(path="/sync")
    def sync(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("Hello")

    @app.route(path="/async")
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "Hello"

    with TestClient(app) as client:
        for path in ("/sync", "/async"):
            answer = client.get(path)
            assert answer.content == b"Uryyb"
            assert answer.headers["content-encoding"] == "rot13"
            assert answer.headers["content-length"] == "5"
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            plain = client.get(path, headers={"X-Plain": "1"})
            assert plain.content == b"Hello"
            assert "content-encoding" not in plain.headers
            head = client.head(path)
            assert (head.content, head.headers["content-length"]) == (b"", "5")
    assert set(rot13.lengths) == {5}


def test_slime_body_filter_is_asked_for_each_route_when_the_application_starts() -> None:
    asked: list[str] = []
    rot13 = Rot13()

    def choose(app: Slime, route: Any) -> Any:
        asked.append(route.path)
        return rot13 if route.path == "/yes" else None

    app = app_with(toy("Choosy", slime_body_filter=choose))
    for path in ("/yes", "/no"):
        app.route(path=path)(lambda req, resp: resp.plain("Hello"))
    assert asked == []
    with TestClient(app) as client:
        assert asked == ["/yes", "/no"]
        assert client.get("/yes").text == "Uryyb"
        assert client.get("/no").text == "Hello"
        assert len(asked) == 2


@pytest.mark.parametrize("path", ["/sync", "/coro"])
def test_a_piece_of_a_written_body_is_flushed_so_that_the_client_can_use_it(path: str) -> None:
    go_on = threading.Event()
    rot13 = Rot13()
    app = filtering(rot13)
    for name, handler in hesitant(go_on).items():
        app.route(path=f"/{name}", written=True)(handler)
    with TestClient(app) as client, raw(client) as wire:
        wire.request("GET", path)
        head = read_until(wire, b"bar\r\n").lower()
        assert b"content-encoding: rot13\r\n" in head
        assert b"content-length" not in head
        go_on.set()
        assert read_until(wire, b"0\r\n\r\n") == b"3\r\ngjb\r\n0\r\n\r\n"
    assert rot13.lengths == [None]


class Quote:
    """Puts a mark at both ends of a body."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Any:
        mark = self.mark

        class Encoder:
            begun = False

            def push(self, data: bytes) -> bytes:
                before = b"" if self.begun else mark
                self.begun = True
                return before + data

            def flush(self) -> bytes:
                return b""

            def finish(self) -> bytes:
                return mark

        return Encoder()


@pytest.mark.parametrize("path", ["/plain", "/sync", "/coro"])
def test_filters_of_several_plugins_apply_in_the_order_of_the_plugins(path: str) -> None:
    app = filtering(Quote(b"'"), Quote(b'"'))
    app.route(path="/plain")(lambda req, resp: resp.plain("said"))

    def write(writer: Any) -> None:
        writer.start()
        writer.try_write(b"sa")
        writer.try_write(b"id")

    for name, handler in both(write).items():
        app.route(path=f"/{name}", written=True)(handler)
    with TestClient(app) as client:
        assert client.get(path).text == "\"'said'\""


class Coding:
    """Codes bodies by putting its name around them, for clients that take it."""

    stage = "coding"

    def __init__(self, name: str) -> None:
        self.name = name

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Any:
        response.add_header("X-Asked", f"{self.name} {length}")
        if self.name not in request.header.get("accept-encoding", ""):
            return None
        response.set_header("Content-Encoding", self.name)
        return Quote(self.name.encode()).begin(request, response, length)


def answering(**filters: Any) -> Slime:
    """Whole answers and streams, with header fields that the query says."""
    app = app_with(
        *(toy(name, slime_body_filter=lambda each=each: each) for name, each in filters.items()),
        kind("written", written),
    )

    def whole(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        for name, value in req.query.items():
            resp.set_header(name, value)
        return resp.plain("said")

    def pieces(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        writer.try_write(b"sa")
        writer.try_write(b"id")

    for handler, options in ((whole, {}), (pieces, {"written": True})):

        async def coroutine(req: SlimeRequest, resp: Any, handler: Any = handler) -> Any:
            return handler(req, resp)

        app.route(path=f"/plain/{handler.__name__}", **options)(handler)
        app.route(path=f"/coroutine/{handler.__name__}", **options)(coroutine)
    return app


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("side", ["plain", "coroutine"])
def test_content_is_filtered_before_it_is_coded_whatever_the_plugins_order(
    side: str, version: str, tmp_path: Path
) -> None:
    app = answering(first=Coding("x"), second=Quote(b"'"), third=Quote(b'"'))
    with served(app, version, tmp_path) as ask:
        for path in ("whole", "pieces"):
            coded = ask("GET", f"/{side}/{path}", headers={"Accept-Encoding": "x"})
            assert (coded.text, coded.header("content-encoding")) == ("x\"'said'\"x", "x")
            assert ask("GET", f"/{side}/{path}").text == "\"'said'\""
        # The length is that of the content as it has become by then.
        assert ask("GET", f"/{side}/whole").header("x-asked") == "x 8"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", ["whole", "pieces"])
def test_a_body_that_has_a_coding_gets_no_second_one(path: str, version: str, tmp_path: Path) -> None:
    app = answering(first=Coding("x"), second=Coding("y"))
    with served(app, version, tmp_path) as ask:
        for asked, text in (("x, y", "xsaidx"), ("y", "ysaidy"), ("", "said")):
            answer = ask("GET", f"/plain/{path}", headers={"Accept-Encoding": asked})
            assert answer.text == text
            assert answer.header_all("content-encoding") == ([text[0]] if text != "said" else [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Content-Encoding", "br"),
        ("Content-Range", "bytes 0-3/10"),
        ("Repr-Digest", "sha-256=:AAAA:"),
        ("Cache-Control", "private, no-transform"),
    ],
)
def test_the_content_of_what_must_stay_as_it_is_is_not_filtered(field: str, value: str) -> None:
    with TestClient(answering(quote=Quote(b"'"))) as client:
        assert client.get("/plain/whole").text == "'said'"
        assert client.get("/plain/whole", params={field: value}).content == b"said"


def test_the_headers_of_a_filtered_body_are_about_what_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    fields = {"ETag": '"one"', "Accept-Ranges": "bytes", "Content-Length": "4"}
    with TestClient(answering(quote=Quote(b"'"))) as client:
        answer = client.get("/plain/whole", params=fields)
        assert (answer.headers["etag"], answer.headers["content-length"]) == ('W/"one"', "6")
        assert "accept-ranges" not in answer.headers
        assert client.get("/plain/whole", params={"ETag": 'W/"one"'}).headers["etag"] == 'W/"one"'
        head = client.request("HEAD", "/plain/whole", params=fields)
        assert (head.headers["etag"], head.headers["content-length"]) == ('W/"one"', "6")
    assert caplog.messages == []
    with TestClient(answering(coding=Coding("x"))) as client:
        plain = client.get("/plain/whole", params={"ETag": '"one"', "Accept-Ranges": "bytes"})
        assert (plain.headers["etag"], plain.headers["accept-ranges"]) == ('"one"', "bytes")


def test_a_stage_that_there_is_none_of_is_refused_at_the_start() -> None:
    wrong = Quote(b"'")
    wrong.stage = "middle"  # type: ignore[attr-defined]
    app = filtering(wrong)
    app.route(path="/")(lambda req, resp: "hello")
    with pytest.raises(PluginError, match=r"'Filter0': .* whose stage is 'middle': use 'content'"), TestClient(app):
        pass


def test_a_large_body_of_a_coroutine_is_transformed_off_the_event_loop() -> None:
    rot13 = Rot13()
    app = filtering(rot13)
    loop_threads: list[int] = []

    @app.route(path="/{size:int}")
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        loop_threads.append(threading.get_ident())
        return resp.plain("a" * req.params["size"])

    with TestClient(app) as client:
        assert client.get("/100").text == "n" * 100
        assert rot13.threads == loop_threads
        assert client.get("/1000000").text == "n" * 1_000_000
        assert rot13.threads[1] != loop_threads[1] == loop_threads[0]


def test_what_has_no_body_in_memory_goes_past_filters(tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("Hello")
    app = filtering(Rot13())
    app.route(path="/file")(lambda req, resp: resp.file(tmp_path / "hello.txt"))
    app.route(path="/empty")(lambda req, resp: resp.empty())
    with TestClient(app) as client:
        assert client.get("/file").text == "Hello"
        assert client.get("/empty").status_code == 204


class Broken:
    """Raises in one of the four calls."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, where: str) -> bytes:
        if where == self.where:
            raise RuntimeError(f"secret of {where}")
        return b""

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Any:
        self.fail("begin")
        return self

    def push(self, data: bytes) -> bytes:
        self.fail("push")
        return data

    def flush(self) -> bytes:
        return self.fail("flush")

    def finish(self) -> bytes:
        return self.fail("finish")


@pytest.mark.parametrize("where", ["begin", "push", "finish"])
@pytest.mark.parametrize("customised", [False, True])
def test_a_filter_that_raises_is_an_error_like_any_other(
    where: str, customised: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = filtering(Broken(where))
    if customised:
        app.error(500)(lambda req, resp, exc: {"failed": req.path})
    app.route(path="/sync")(lambda req, resp: resp.plain("Hello"))

    @app.route(path="/async")
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "Hello"

    app.use(Cors("https://a.example"))
    with TestClient(app) as client:
        for path in ("/sync", "/async"):
            answer = client.get(path, headers={"Origin": "https://a.example"})
            body = f'{{"failed":"{path}"}}' if customised else "Internal Server Error"
            assert (answer.status_code, answer.text) == (500, body)
            assert answer.headers["access-control-allow-origin"] == "https://a.example"
            assert answer.headers["vary"] == ("Origin" if customised else "Origin, Accept")
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(error) for error in errors] == [f"secret of {where}"] * 2


@pytest.mark.parametrize("path", ["/sync", "/coro", "/unclosed"])
@pytest.mark.parametrize("where", ["push", "flush", "finish"])
def test_a_filter_that_raises_cuts_a_body_that_has_begun(path: str, where: str, unraisable: list[str]) -> None:
    app = filtering(Broken(where))

    def write(writer: Any) -> None:
        writer.start()
        writer.try_write(b"Hello")
        writer.close()

    def unclosed(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        writer.try_write(b"Hello")

    for name, handler in {**both(write), "unclosed": unclosed}.items():
        app.route(path=f"/{name}", written=True)(handler)
    with TestClient(app) as client, raw(client) as wire:
        wire.request("GET", path)
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.answer()


@pytest.mark.parametrize("result", [None, "text", 3], ids=repr)
def test_an_encoder_that_returns_no_bytes_is_a_plain_500(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Encoder:
        def push(self, data: bytes) -> Any:
            return result

        flush = finish = lambda self: b""

    class Filter:
        def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Encoder:
            return Encoder()

    app = filtering(Filter())
    app.route(path="/")(lambda req, resp: resp.plain("Hello"))
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert len([record for record in caplog.records if record.exc_info]) == 1


@pytest.mark.parametrize("wrong", [object(), "rot13"], ids=["object", "text"])
def test_what_is_no_filter_is_refused_at_the_start(wrong: Any) -> None:
    app = filtering(wrong)
    app.route(path="/")(lambda req, resp: resp.plain("Hello"))
    with pytest.raises(PluginError, match="'Filter0': slime_body_filter returned "), TestClient(app):
        pass


def pieces(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_how_a_body_is_cut_into_pieces_does_not_matter(size: int) -> None:
    data = bytes(65 + number % 26 for number in range(3000))
    app = filtering(Rot13())

    def sync(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        for piece in pieces(data, size):
            writer.write(piece)

    app.route(path="/", written=True)(sync)
    with TestClient(app) as client:
        assert client.get("/").content == data.translate(ROT13)


class Exclusive:
    """Its encoders take no two calls at a time; the first `push` waits until it may go on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self._taken = threading.Lock()

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Exclusive:
        return self

    def push(self, data: bytes) -> bytes:
        assert self._taken.acquire(blocking=False), "two calls at a time"
        try:
            self.entered.set()
            assert self.go_on.wait(10)
            return data
        finally:
            self._taken.release()

    def flush(self) -> bytes:
        return b""

    finish = flush


def test_a_filter_sees_the_pieces_of_several_threads_one_after_the_other() -> None:
    exclusive = Exclusive()
    refused: list[bool] = []

    def write(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        first = threading.Thread(target=writer.write, args=(b"first,",))
        first.start()
        assert exclusive.entered.wait(10)
        # The other thread has the encoder, and this one does not wait for it.
        refused.append(writer.try_write(b"never"))
        exclusive.go_on.set()
        first.join()
        at_once(4, lambda number: [writer.write(b"later,") for _ in range(50)])
        writer.close()

    app = filtering(exclusive)
    app.route(path="/", written=True)(write)
    with TestClient(app) as client:
        assert client.get("/").content == b"first," + b"later," * 200
    assert refused == [False]


class Final:
    """Its encoder must not be asked for anything once it has finished."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.finished = False
        self.late = 0

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Final:
        return self

    def push(self, data: bytes) -> bytes:
        self.late += self.finished
        self.started.set()
        return data

    def flush(self) -> bytes:
        self.late += self.finished
        return b""

    def finish(self) -> bytes:
        self.finished = True
        return b"the end"


def test_a_filter_that_has_finished_sees_nothing_of_threads_that_still_write() -> None:
    final = Final()

    def write(req: SlimeRequest, writer: Any) -> None:
        writer.start()

        def go_on(number: int) -> None:
            if number == 0:
                assert final.started.wait(10)
                writer.close()
                return
            with pytest.raises(RuntimeError, match="closed"):
                all(writer.write(b"more,") is None for _ in itertools.count())

        at_once(4, go_on)

    app = filtering(final)
    app.route(path="/", written=True)(write)
    with TestClient(app) as client:
        body = client.get("/").content
    assert body.endswith(b"more,the end")
    assert body.removesuffix(b"the end").replace(b"more,", b"") == b""
    assert final.late == 0
