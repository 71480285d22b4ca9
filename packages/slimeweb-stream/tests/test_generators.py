"""Streams whose handlers are generators, or return one."""

from __future__ import annotations

import asyncio
import http.client
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from slimeweb import Event, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.errors import InvalidHandler
from slimeweb.testing import TestClient

KINDS = pytest.mark.parametrize("kind", ["plain", "async", "returned", "returned async"])
Body = Callable[[SlimeRequest, Any], Iterator[Any]]


def declare(app: Slime, kind: str, body: Body, *, path: str = "/", content: str = "text/plain") -> None:
    """The same stream, by a handler of each kind."""

    def plain(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        yield from body(req, resp)

    async def asynchronous(req: SlimeRequest, resp: Any) -> AsyncIterator[Any]:
        for piece in body(req, resp):
            await asyncio.sleep(0)
            yield piece

    async def returning(req: SlimeRequest, resp: Any) -> AsyncIterator[Any]:
        return asynchronous(req, resp)

    handlers: dict[str, Callable[..., Any]] = {
        "plain": plain,
        "async": asynchronous,
        "returned": lambda req, resp: body(req, resp),
        "returned async": returning,
    }
    app.stream(path=path, content=content)(handlers[kind])


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)


class Browser:
    """Asks for `/`; the body is read as it comes."""

    def __init__(self) -> None:
        self.connections: list[http.client.HTTPConnection] = []
        self.answers: list[http.client.HTTPResponse] = []

    def __call__(self, client: TestClient) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
        self.connections.append(connection)
        connection.request("GET", "/", headers={"Last-Event-ID": "7"})
        self.answers.append(connection.getresponse())
        return self.answers[-1]

    def leave(self) -> None:
        for each in (*self.answers, *self.connections):
            each.close()


@pytest.fixture
def get() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.leave()


@KINDS
def test_what_a_generator_yields_is_sent_as_by_send(app: Slime, kind: str) -> None:
    def body(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        yield "ä"
        yield b" raw "
        yield 5
        yield {"a": [1]}
        yield Event("tick", id="1")

    declare(app, kind, body)
    with TestClient(app) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert answer.text == 'ä raw 5{"a":[1]}id: 1\ndata: tick\n\n'


@KINDS
def test_events_have_their_fields_and_the_headers_of_an_event_stream(app: Slime, kind: str, get: Browser) -> None:
    def body(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        yield Event({"after": resp.last_event_id}, event="news", id="8", retry=1000)
        yield Event("two\nlines")

    declare(app, kind, body, content="text/event-stream")
    with TestClient(app) as client:
        answer = get(client)
        assert (answer.getheader("content-type"), answer.getheader("cache-control")) == (
            "text/event-stream",
            "no-cache",
        )
        assert answer.read() == (b'event: news\nid: 8\nretry: 1000\ndata: {"after":"7"}\n\ndata: two\ndata: lines\n\n')


def test_an_event_is_checked_where_it_is_made() -> None:
    for wrong in (lambda: Event("x", id="a\nb"), lambda: Event("x", event="a\r"), lambda: Event("x", retry=-1)):
        with pytest.raises(ValueError, match=r"line|number of milliseconds"):
            wrong()
    with pytest.raises(TypeError):
        Event(object())
    assert Event(1, id="a") == Event(1, id="a") != Event(1)


@pytest.mark.parametrize("is_async", [False, True])
def test_send_takes_an_event(app: Slime, is_async: bool) -> None:
    @app.stream(path="/False")
    def plain(req: SlimeRequest, resp: Any) -> None:
        resp.start_stream()
        resp.send(Event("a", id="1"))

    @app.stream(path="/True")
    async def asynchronous(req: SlimeRequest, resp: Any) -> None:
        resp.start_stream()
        await resp.send(Event("a", id="1"))

    with TestClient(app) as client:
        assert client.get(f"/{is_async}").text == "id: 1\ndata: a\n\n"


@KINDS
def test_the_head_is_set_until_the_first_piece_by_the_generator_and_by_middleware(app: Slime, kind: str) -> None:
    class After(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-After", "yes")

    def body(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        resp.set_status(202)
        resp.set_header("X-Body", "yes")
        yield "a"
        with pytest.raises(RuntimeError):
            resp.set_header("X-Late", "yes")

    declare(app, kind, body)
    app.use(After())
    with TestClient(app) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.text) == (202, "a")
    assert (answer.headers["x-after"], answer.headers["x-body"]) == ("yes", "yes")


@KINDS
def test_a_failure_before_the_first_piece_is_a_500_and_a_later_one_cuts_the_connection(kind: str, get: Browser) -> None:
    seen: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    class Watch:
        @hookimpl
        def slime_exception(self, exc: BaseException, where: str) -> None:
            seen.put((where, repr(exc)))

    first, later = Slime(__file__, plugins=[Watch()]), Slime(__file__, plugins=[Watch()])

    def failing(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        raise LookupError("first")
        yield

    def cut(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        yield "one"
        raise LookupError("later")

    declare(first, kind, failing)
    declare(later, kind, cut)
    with TestClient(first) as client:
        assert get(client).status == 500
    with TestClient(later) as client, pytest.raises(http.client.IncompleteRead):
        get(client).read()
    assert [seen.get(timeout=5) for _ in range(2)] == [("stream", f"LookupError('{at}')") for at in ("first", "later")]
    assert seen.empty()


@pytest.mark.parametrize("content", ["text/plain", "text/event-stream"])
@KINDS
def test_a_client_that_leaves_closes_the_generator(app: Slime, kind: str, content: str, get: Browser) -> None:
    closed: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def body(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            closed.put(resp.is_closed())

    declare(app, kind, body, content=content)
    with TestClient(app) as client:
        get(client).read(1)
        get.leave()
        assert closed.get(timeout=10) is True


def test_an_asynchronous_generator_that_waits_is_cancelled_and_its_cleanup_awaited(app: Slime, get: Browser) -> None:
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    @app.stream(path="/", content="text/event-stream")
    async def waiting(req: SlimeRequest, resp: Any) -> AsyncIterator[Event]:
        try:
            yield Event("here")
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.put("cleaned up")

    with TestClient(app) as client:
        assert get(client).read(4) == b"data"
        get.leave()
        assert ended.get(timeout=10) == "cleaned up"


@KINDS
def test_a_silent_event_stream_is_kept_alive_also_before_its_first_event(app: Slime, kind: str, get: Browser) -> None:
    heard = threading.Event()

    def body(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        resp.keep_alive = 0.02
        assert heard.wait(10)
        heard.clear()
        yield Event("one")
        assert heard.wait(10)
        yield "data: in"
        yield " pieces\n\n"

    declare(app, kind, body, content="text/event-stream")
    with TestClient(app) as client:
        answer = get(client)
        assert answer.read(6) == b":\n\n:\n\n"
        heard.set()
        assert _without_comments(answer, 11) == b"data: one\n\n"
        assert answer.read(3) == b":\n\n"
        heard.set()
        rest = answer.read()
        assert rest.replace(b":\n\n", b"") == b"data: in pieces\n\n", rest
        assert rest.endswith(b"data: in pieces\n\n"), "no comment in the midst of an event"


def _without_comments(answer: http.client.HTTPResponse, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data = (data + answer.read(1)).replace(b":\n\n", b"")
    return data


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_an_event_stream_ends_completely_when_the_server_stops(
    app: Slime, is_async: bool, has_begun: bool, get: Browser
) -> None:
    iterating, closed = threading.Event(), threading.Event()

    async def asynchronous(req: SlimeRequest, resp: Any) -> AsyncIterator[Event]:
        try:
            if has_begun:
                yield Event("one")
            iterating.set()
            await asyncio.sleep(60)
        finally:
            closed.set()

    def plain(req: SlimeRequest, resp: Any) -> Iterator[Event]:
        try:
            if has_begun:
                yield Event("one")
            iterating.set()
            while not resp.is_closed():
                threading.Event().wait(0.005)
            yield Event("nobody hears this")
        finally:
            closed.set()

    app.stream(path="/", content="text/event-stream")(asynchronous if is_async else plain)
    with TestClient(app, shutdown_grace=30) as client:
        answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        thread = threading.Thread(target=lambda: answers.put(get(client).read()))
        thread.start()
        assert iterating.wait(10)
    assert answers.get(timeout=10) == (b"data: one\n\n" if has_begun else b"")
    thread.join()
    assert closed.is_set()


@KINDS
@pytest.mark.parametrize("call", ["send", "close"])
def test_a_generator_that_sends_is_told_to_yield(
    app: Slime, kind: str, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    def body(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        getattr(resp, call)(*(["x"] if call == "send" else []))
        yield "y"

    declare(app, kind, body)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "yield" in str(record.exc_info[1])  # type: ignore[index]


@KINDS
def test_a_generator_may_send_the_head_ahead_of_its_first_piece(app: Slime, kind: str, get: Browser) -> None:
    asked = threading.Event()

    def body(req: SlimeRequest, resp: Any) -> Iterator[Any]:
        resp.start_stream()
        assert asked.wait(10)
        yield "piece"

    declare(app, kind, body)
    with TestClient(app) as client:
        answer = get(client)
        asked.set()
        assert answer.read() == b"piece"


def test_head_runs_no_generator(app: Slime) -> None:
    @app.stream(path="/", content="text/event-stream")
    async def never(req: SlimeRequest, resp: Any) -> AsyncIterator[str]:
        pytest.fail("it is not asked for a piece")
        yield ""

    with TestClient(app) as client:
        answer = client.request("HEAD", "/")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


def test_a_generator_of_a_route_that_streams_nothing_is_refused(app: Slime) -> None:
    with pytest.raises(InvalidHandler, match=r"is a generator: return resp.stream"):

        @app.route(path="/")
        def pieces(req: SlimeRequest, resp: Any) -> Iterator[str]:
            yield ""
