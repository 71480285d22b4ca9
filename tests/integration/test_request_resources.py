"""Request resources of streams and of upgraded connections: they end after these."""

from __future__ import annotations

import asyncio
import queue
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.extras import needs
from support.http2 import Http2, Reset
from support.process import ServerProcess
from support.toys import raw, switched, toy
from support.websocket import CLOSE, TEXT, client_frame, open_websocket, server_frame, server_frames
from support.wire import Answer

VERSIONS = pytest.mark.parametrize("version", ["1.1", "2"])
ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])
KINDS = pytest.mark.parametrize(
    ("is_async", "kind", "iterates"),
    [
        (False, "plain", "plain"),
        (False, "plain", "asynchronous"),
        (True, "plain", "plain"),
        (True, "plain", "asynchronous"),
        (True, "asynchronous", "plain"),
        (True, "asynchronous", "asynchronous"),
    ],
    ids=lambda value: {False: "def", True: "async-def"}.get(value, value),
)
"""Handler, resource and iterable."""

PIECE = b"x" * 65536


class Session:
    """A resource of the scope `request`, which tells what happens."""

    def __init__(self, app: Slime, kind: str = "plain", fails: bool = False) -> None:
        self.events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.over = threading.Event()

        def session() -> Iterator[str]:
            self.events.put("made")
            try:
                yield "session"
            except BaseException as error:
                self.events.put(f"rolled back: {type(error).__name__}")
                raise
            else:
                self.events.put("committed")
                if fails:
                    raise OSError("the commit failed")
            finally:
                self.over.set()

        async def session_async() -> AsyncIterator[str]:
            inner = session()
            value = next(inner)
            try:
                yield value
            except BaseException as error:
                await asyncio.sleep(0)
                inner.throw(error)
            else:
                await asyncio.sleep(0)
                next(inner, None)

        app.resource(scope="request", name="session")(session_async if kind == "asynchronous" else session)

    def note(self, event: str) -> None:
        self.events.put(event)

    def all(self) -> list[str]:
        """What has happened, once it has ended."""
        assert self.over.wait(15)
        found = []
        while not self.events.empty():
            found.append(self.events.get())
        return found


def stream(
    app: Slime, session: Session, is_async: bool, iterates: str, step: Callable[[int], Any] = str, **options: Any
) -> None:
    """A route `/` that streams what `step` gives for 0, 1 and so on until that is `None`."""

    def pieces() -> Iterator[Any]:
        try:
            number = 0
            while (piece := step(number)) is not None:
                session.note("piece")
                yield piece
                number += 1
        finally:
            session.note("closed")

    async def pieces_async() -> AsyncIterator[Any]:
        try:
            number = 0
            while (piece := step(number)) is not None:
                await asyncio.sleep(0)
                session.note("piece")
                yield piece
                number += 1
        finally:
            await asyncio.sleep(0)
            session.note("closed")

    def handler(req: SlimeRequest, resp: SlimeResponse) -> Any:
        assert req.resources.session == "session"
        session.note("handler")
        return resp.stream(pieces_async() if iterates == "asynchronous" else pieces())

    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return handler(req, resp)

    app.route("/", resources=["session"], **options)(coroutine if is_async else handler)


def serving(app: Slime, version: str, tmp_path: Path, **options: Any) -> TestClient:
    return TestClient(app, https=SlimeTls(*self_signed(tmp_path)) if version == "2" else None, **options)


def ask(client: TestClient, version: str, path: str = "/", method: str = "GET") -> Answer | None:
    """The answer; `None` for one that is cut off."""
    try:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                return connection.ask(method, path)
        with raw(client) as wire:
            wire.request(method, path)
            return wire.answer(to=method)
    except (EOFError, Reset, ConnectionResetError):
        return None


def leave_after_the_first_piece(client: TestClient, version: str, path: str = "/") -> None:
    if version == "2":
        with Http2.tls("127.0.0.1", client.port) as connection:
            assert connection.head(connection.begin("GET", path)) == 200
    else:
        with raw(client) as wire:
            wire.request("GET", path)
            assert wire.exactly(12) == b"HTTP/1.1 200"


def two(number: int) -> str | None:
    return "one" if number == 0 else "two" if number == 1 else None


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)


@KINDS
@VERSIONS
@pytest.mark.parametrize("with_middleware", [False, True], ids=["alone", "with-middleware"])
def test_resources_end_after_the_stream_and_before_its_last_byte(
    app: Slime, tmp_path: Path, version: str, is_async: bool, kind: str, iterates: str, with_middleware: bool
) -> None:
    session = Session(app, kind)

    class Outer(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            session.note("after")

    stream(app, session, is_async, iterates, two)
    if with_middleware:
        app.use(Outer())
    with serving(app, version, tmp_path) as client:
        answer = ask(client, version)
        assert answer is not None
        # Without waiting: a client that has the whole answer counts on the commit.
        assert session.over.is_set()
    assert (answer.status, answer.body) == (200, b"onetwo")
    after = ["after"] if with_middleware else []
    assert session.all() == ["made", "handler", *after, "piece", "piece", "closed", "committed"]


@KINDS
@VERSIONS
def test_what_a_stream_raises_is_raised_in_its_resources(
    app: Slime, tmp_path: Path, version: str, is_async: bool, kind: str, iterates: str
) -> None:
    session = Session(app, kind)

    def step(number: int) -> str:
        if number == 1:
            raise LookupError("no more")
        return "one"

    stream(app, session, is_async, iterates, step)
    with serving(app, version, tmp_path) as client:
        assert ask(client, version) is None
    assert session.all() == ["made", "handler", "piece", "closed", "rolled back: LookupError"]


@KINDS
def test_a_stream_that_fails_before_its_first_piece_is_a_500_seen_once(
    is_async: bool, kind: str, iterates: str
) -> None:
    seen: list[tuple[str, str]] = []
    watch = toy("Watch", slime_exception=lambda exc, where: seen.append((type(exc).__name__, where)))
    app = Slime(__file__, plugins=[watch])
    session = Session(app, kind)

    def step(number: int) -> str:
        raise LookupError("nothing")

    stream(app, session, is_async, iterates, step)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert session.all() == ["made", "handler", "closed", "rolled back: LookupError"]
    assert seen == [("LookupError", "stream")]


@KINDS
@VERSIONS
def test_a_client_that_leaves_rolls_back(
    app: Slime, tmp_path: Path, version: str, is_async: bool, kind: str, iterates: str
) -> None:
    session = Session(app, kind)
    stream(app, session, is_async, iterates, lambda number: PIECE)
    with serving(app, version, tmp_path) as client:
        leave_after_the_first_piece(client, version)
        events = session.all()
    assert events[-2:] in (
        ["closed", "rolled back: ClientDisconnected"],
        ["closed", "rolled back: CancelledError"],
    )


@KINDS
@VERSIONS
def test_a_commit_that_fails_after_a_stream_cuts_the_connection(
    app: Slime, tmp_path: Path, version: str, is_async: bool, kind: str, iterates: str, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(app, kind, fails=True)
    stream(app, session, is_async, iterates, two)
    with serving(app, version, tmp_path) as client:
        assert ask(client, version) is None
    assert session.all()[-2:] == ["closed", "committed"]
    assert "the commit failed" in caplog.text


@KINDS
def test_a_commit_that_fails_after_a_stream_without_pieces_is_a_500(
    app: Slime, is_async: bool, kind: str, iterates: str
) -> None:
    session = Session(app, kind, fails=True)
    stream(app, session, is_async, iterates, lambda number: None)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert session.all() == ["made", "handler", "closed", "committed"]


@KINDS
@VERSIONS
def test_a_stream_without_content_ends_its_resources(
    app: Slime, tmp_path: Path, version: str, is_async: bool, kind: str, iterates: str
) -> None:
    session = Session(app, kind)
    stream(app, session, is_async, iterates, two)
    with serving(app, version, tmp_path) as client:
        answer = ask(client, version, method="HEAD")
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"")
    assert session.all() == ["made", "handler", "committed"]


@KINDS
@pytest.mark.parametrize("fails", [False, True], ids=["answers", "raises"])
def test_a_stream_that_middleware_puts_something_else_in_place_of_ends_its_resources(
    app: Slime, is_async: bool, kind: str, iterates: str, fails: bool
) -> None:
    session = Session(app, kind)

    class Instead(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            if fails:
                raise LookupError("no")
            return resp.plain("instead")

    stream(app, session, is_async, iterates, two)
    app.use(Instead())
    with TestClient(app) as client:
        response = client.get("/")
    assert response.status_code == (500 if fails else 200)
    assert "piece" not in (events := session.all())
    assert events[-1] == "committed"


@KINDS
def test_a_stream_whose_head_a_plugin_does_not_let_pass_ends_its_resources(
    is_async: bool, kind: str, iterates: str
) -> None:
    def refuse(req: Any, resp: Any) -> None:
        if not resp.status >= 500:
            raise LookupError("no head")

    app = Slime(__file__, plugins=[toy("Heads", slime_response_head=lambda app, route: refuse)])
    session = Session(app, kind)
    stream(app, session, is_async, iterates, two)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert session.all()[-1] == "rolled back: PluginError"


@KINDS
def test_a_stream_of_a_before_ends_the_resources_of_its_middleware(
    app: Slime, is_async: bool, kind: str, iterates: str
) -> None:
    if is_async is (kind == "plain"):
        pytest.skip("one of each")
    session = Session(app, kind)

    class Door(SlimeMiddleware):
        resources = ("session",)

        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            def pieces() -> Iterator[str]:
                session.note("piece")
                yield "no"

            return resp.stream(pieces(), status=403)

    stream(app, session, is_async, iterates, two)
    app.use(Door())
    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.text) == (403, "no")
    assert session.all() == ["made", "piece", "committed"]


@ASYNC
@VERSIONS
def test_resources_end_early_within_a_stream(app: Slime, tmp_path: Path, version: str, is_async: bool) -> None:
    session = Session(app, "asynchronous" if is_async else "plain")

    @app.route("/", resources=["session"])
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        def pieces() -> Iterator[str]:
            yield "one"
            req.resources.end()
            session.note("piece")
            yield "two"

        return resp.stream(pieces())

    @app.route("/async", resources=["session"])
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> Any:
        async def pieces() -> AsyncIterator[str]:
            yield "one"
            await req.resources.end()
            session.note("piece")
            yield "two"

        return resp.stream(pieces())

    if is_async:
        app = Slime(__file__)
        session = Session(app, "asynchronous")
        app.route("/async", resources=["session"])(coroutine)
    else:
        app = Slime(__file__)
        session = Session(app)
        app.route("/", resources=["session"])(plain)
    with serving(app, version, tmp_path) as client:
        answer = ask(client, version, "/async" if is_async else "/")
    assert answer is not None
    assert answer.body == b"onetwo"
    assert session.all() == ["made", "committed", "piece"]


@pytest.mark.parametrize("iterates", ["plain", "asynchronous"])
def test_a_coroutine_s_resources_end_in_the_task_and_context_that_made_them(app: Slime, iterates: str) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    ended: queue.SimpleQueue[bool] = queue.SimpleQueue()

    @app.resource(scope="request")
    async def session() -> AsyncIterator[None]:
        token = variable.set("set")
        task = asyncio.current_task()
        async with asyncio.timeout(60), asyncio.TaskGroup():
            yield
        variable.reset(token)
        ended.put(task is asyncio.current_task())

    @app.route("/", resources=["session"])
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> Any:
        def pieces() -> Iterator[str]:
            yield variable.get()

        async def pieces_async() -> AsyncIterator[str]:
            yield variable.get()

        return resp.stream(pieces() if iterates == "plain" else pieces_async())

    with TestClient(app) as client:
        assert client.get("/").text == "set"
        assert ended.get(timeout=15)


def writing(app: Slime, session: Session, is_async: bool, step: Callable[[], Any]) -> None:
    """A route `/` that writes its stream itself, and calls `step` between two pieces."""

    @app.route("/plain", resources=["session"])
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        writer.write(b"one")
        step()
        writer.write(b"two")
        session.note("written")

    @app.route("/coroutine", resources=["session"])
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        assert writer.try_write(b"one")
        await asyncio.to_thread(step)
        assert writer.try_write(b"two")
        session.note("written")


@ASYNC
@VERSIONS
@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
def test_a_handler_that_writes_its_stream_has_its_resources_end_before_the_last_byte(
    app: Slime, tmp_path: Path, version: str, is_async: bool, fails: bool
) -> None:
    session = Session(app, fails=fails)
    writing(app, session, is_async, lambda: None)
    with serving(app, version, tmp_path) as client:
        answer = ask(client, version, "/coroutine" if is_async else "/plain")
    if fails:
        assert answer is None
    else:
        assert answer is not None
        assert answer.body == b"onetwo"
    assert session.all() == ["made", "written", "committed"]


@ASYNC
@VERSIONS
def test_a_handler_that_writes_its_stream_rolls_back_when_its_client_leaves(
    app: Slime, tmp_path: Path, version: str, is_async: bool
) -> None:
    session = Session(app)

    @app.route("/plain", resources=["session"])
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        while True:
            writer.write(PIECE)

    @app.route("/coroutine", resources=["session"])
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.writer().start()
        await asyncio.Event().wait()

    with serving(app, version, tmp_path) as client:
        leave_after_the_first_piece(client, version, "/coroutine" if is_async else "/plain")
        assert session.all()[-1] == f"rolled back: {'CancelledError' if is_async else 'ClientDisconnected'}"


@ASYNC
@VERSIONS
@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
def test_generator_handlers_of_streams_have_their_resources_end_after_them(
    app: Slime, tmp_path: Path, version: str, is_async: bool, fails: bool
) -> None:
    needs("slimeweb-stream")
    session = Session(app, "asynchronous" if is_async else "plain", fails)

    def plain(req: SlimeRequest, resp: Any) -> Iterator[str]:
        yield req.resources.session
        session.note("piece")

    async def coroutine(req: SlimeRequest, resp: Any) -> AsyncIterator[str]:
        yield req.resources.session
        session.note("piece")

    app.stream(path="/", resources=["session"])(coroutine if is_async else plain)
    with serving(app, version, tmp_path) as client:
        answer = ask(client, version)
    if fails:
        assert answer is None
    else:
        assert answer is not None
        assert answer.body == b"session"
    assert session.all() == ["made", "piece", "committed"]


@ASYNC
@VERSIONS
@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
def test_handlers_that_send_their_streams_have_their_resources_end_after_them(
    app: Slime, tmp_path: Path, version: str, is_async: bool, fails: bool
) -> None:
    needs("slimeweb-stream")
    session = Session(app, "asynchronous" if is_async else "plain", fails)

    def plain(req: SlimeRequest, resp: Any) -> None:
        resp.start_stream()
        resp.send(req.resources.session)
        session.note("sent")

    async def coroutine(req: SlimeRequest, resp: Any) -> None:
        resp.start_stream()
        await resp.send(req.resources.session)
        session.note("sent")

    app.stream(path="/", resources=["session"])(coroutine if is_async else plain)
    with serving(app, version, tmp_path) as client:
        answer = ask(client, version)
    if fails:
        assert answer is None
    else:
        assert answer is not None
        assert answer.body == b"session"
    assert session.all() == ["made", "sent", "committed"]


@pytest.mark.parametrize("way", ["returns", "client closes", "raises", "commit fails", "ends early"])
def test_resources_end_after_a_websocket_loop_and_ahead_of_its_close(app: Slime, way: str) -> None:
    needs("slimeweb-ws")
    session = Session(app, "asynchronous", fails=way == "commit fails")

    @app.websocket("/", resources=["session"])
    async def loop(req: SlimeRequest, resp: Any) -> None:
        await resp.accept()
        if way == "ends early":
            await req.resources.end()
            session.note("ended")
        async for message in resp:
            session.note(message)
            if way == "raises":
                raise LookupError("no")
            if way != "client closes":
                return

    with TestClient(app) as client, raw(client) as wire:
        open_websocket(wire, "/")
        wire.send(client_frame(TEXT, b"hello"))
        if way == "client closes":
            wire.send(client_frame(CLOSE, b"\x03\xe8"))
        *_, last = server_frames(wire)
    assert last.opcode == CLOSE
    code = int.from_bytes(last.payload[:2], "big")
    assert code == (1011 if way in ("raises", "commit fails") else 1000)
    end = {"raises": ["hello", "rolled back: LookupError"], "ends early": ["committed", "ended", "hello"]}
    assert session.all() == ["made", *end.get(way, ["hello", "committed"])]


@ASYNC
def test_resources_of_websocket_callbacks_end_with_the_handler(app: Slime, is_async: bool) -> None:
    needs("slimeweb-ws")
    session = Session(app)

    def register(req: SlimeRequest, resp: Any) -> None:
        @resp.on_message
        def message(text: str) -> None:
            resp.send(f"{text} {session.over.is_set()}")

        session.note("handler")

    async def coroutine(req: SlimeRequest, resp: Any) -> None:
        register(req, resp)

    app.websocket("/", resources=["session"])(coroutine if is_async else register)
    with TestClient(app) as client, raw(client) as wire:
        open_websocket(wire, "/")
        wire.send(client_frame(TEXT, b"over:"))
        assert server_frame(wire).payload == b"over: True"
    assert session.all() == ["made", "handler", "committed"]


@pytest.mark.parametrize("fails", [False, True], ids=["commits", "fails"])
def test_resources_end_after_an_awaited_switch(app: Slime, fails: bool) -> None:
    session = Session(app, "asynchronous", fails)

    class Hello(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.write(b"hello")

    @app.route("/", resources=["session"])
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        await resp.switch_protocol(Hello(), [("Upgrade", "toy/1")])  # type: ignore[arg-type]
        session.note("switched")

    with TestClient(app) as client, switched(client) as wire:
        assert wire.exactly(5) == b"hello"
        assert session.all() == ["made", "switched", "committed"]
        if fails:
            assert wire.is_closed_by_server()


def test_the_client_that_leaves_does_not_cut_short_the_end_of_resources(app: Slime) -> None:
    ending, left, ended = threading.Event(), threading.Event(), queue.SimpleQueue[str]()

    @app.resource(scope="request")
    async def session() -> AsyncIterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            ending.set()
            # As a rollback does.
            await asyncio.to_thread(left.wait, 15)
            await asyncio.sleep(0)
            ended.put("rolled back")
            raise

    @app.route("/", resources=["session"])
    async def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        await asyncio.Event().wait()

    with TestClient(app) as client:
        with raw(client) as wire:
            wire.request("GET", "/")
            assert wire.exactly(12) == b"HTTP/1.1 200"
        assert ending.wait(15)
        left.set()
        assert ended.get(timeout=15) == "rolled back"


STOPPED = """
import asyncio
from slimeweb import Slime
app = Slime(__file__)
@app.resource(scope="request")
async def first():
    try:
        yield
    finally:
        await asyncio.sleep(0)
        print("first has ended", flush=True)
@app.resource(scope="request")
async def second(first):
    try:
        yield
    finally:
        print("ending", flush=True)
        await asyncio.Event().wait()
@app.route("/", resources=["second"])
async def handler(req, resp):
    return "done"
app.serve()
"""


def test_a_stop_ends_all_resources_of_a_request_that_is_cancelled(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(STOPPED)
    with (
        ServerProcess(script, env={"SLIME_SHUTDOWN_GRACE": "0.2"}) as server,
        server.wait_until_serving().wire() as wire,
    ):
        wire.request("GET", "/")
        server.wait_for_output("ending")
        server.send_signal(signal.SIGTERM)
        server.wait_for_output("first has ended")
        server.wait()


FAILING = """
import asyncio
from slimeweb import Slime
app = Slime(__file__)
@app.resource()
async def listener():
    async with asyncio.TaskGroup() as group:
        failing = asyncio.Event()
        async def listen():
            await failing.wait()
            raise OSError("the connection is lost")
        task = group.create_task(listen())
        yield failing
        task.cancel()
@app.end()
def end(error):
    print(f"ended with {type(error).__name__}", flush=True)
@app.route("/")
async def handler(req, resp):
    req.resources.listener.set()
    return "done"
app.serve()
"""


def test_a_resource_that_fails_while_it_serves_ends_the_process_with_1(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(FAILING)
    with ServerProcess(script) as server:
        server.wait_until_serving().ask("/")
        assert server.wait(30) == 1
    assert "ended with ResourceError" in server.output
    assert "the resource 'listener'" in server.output
    assert "on worker" in server.output
    assert "OSError: the connection is lost" in server.output


def test_a_coroutine_that_is_moved_off_a_stuck_loop_has_the_resources_of_the_loop_that_runs_it(app: Slime) -> None:
    go_on = threading.Event()
    stuck: queue.SimpleQueue[asyncio.AbstractEventLoop] = queue.SimpleQueue()

    @app.resource()
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    @app.resource(scope="request")
    async def session(loop: asyncio.AbstractEventLoop) -> AsyncIterator[asyncio.AbstractEventLoop]:
        yield loop

    @app.route("/stuck")
    async def block(req: SlimeRequest, resp: SlimeResponse) -> str:
        stuck.put(req.resources.loop)
        # As a handler does that forgets what it runs on.
        go_on.wait(30)
        return "done"

    @app.route("/", resources=["session"])
    async def where(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        running = asyncio.get_running_loop()
        same = req.resources.session is running and req.resources.loop is running
        return resp.json([id(running), same])

    with TestClient(app, workers=2) as client, raw(client) as blocking:
        try:
            blocking.request("GET", "/stuck")
            blocked = id(stuck.get(timeout=15))
            seen = set()
            deadline = time.monotonic() + 20
            # Connections go to the two workers in turn: those of the stuck one are moved.
            for _ in range(8):
                assert time.monotonic() < deadline
                with raw(client) as wire:
                    wire.request("GET", "/")
                    running, same = wire.answer().json()
                assert same
                seen.add(running)
            assert blocked not in seen
        finally:
            go_on.set()
