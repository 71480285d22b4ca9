"""Where a handler runs: on its worker while it is fast, on the pool until it is known to be, and never in the way."""

from __future__ import annotations

import asyncio
import http.client
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb._gil import is_gil_enabled
from slimeweb.testing import TestClient
from support.condition import eventually
from support.crew import at_once
from support.wire import Wire

PROVEN = 200
"""Fast calls, more than a route needs to be trusted."""

Handler = Callable[[SlimeRequest, SlimeResponse], Any]


class Gate:
    """Holds handlers up, and knows how many it holds."""

    def __init__(self) -> None:
        self.shut = False
        self.waiting = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def pass_through(self) -> None:
        if self.shut:
            with self._lock:
                self.waiting += 1
            assert self._open.wait(20), "nobody opened the gate"

    def again(self) -> None:
        self.waiting = 0
        self._open.clear()

    @contextmanager
    def closed(self) -> Iterator[None]:
        self.shut = True
        try:
            yield
        finally:
            self.shut = False
            self._open.set()


def make_app(gate: Gate) -> Slime:
    app = Slime(__file__)

    @app.route("/ping")
    def ping(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "pong"

    @app.route("/async-ping")
    async def async_ping(req: SlimeRequest, resp: SlimeResponse) -> str:
        await asyncio.sleep(0)
        return "pong"

    @app.route("/gate")
    def through(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        gate.pass_through()
        return {"thread": threading.get_ident()}

    @app.route("/async-gate")
    async def async_through(req: SlimeRequest, resp: SlimeResponse) -> str:
        gate.pass_through()
        return "through"

    @app.route("/loop")
    async def loop(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        return {"thread": threading.get_ident()}

    return app


def prove(client: TestClient, path: str, times: int = PROVEN) -> None:
    for _ in range(times):
        assert client.get(path).status_code == 200


def loop_thread(client: TestClient) -> int:
    """Of the only worker."""
    thread: int = client.get("/loop").json()["thread"]
    return thread


def lanes_of(client: TestClient, path: str, times: int) -> set[bool]:
    """For each call whether it ran on the worker's thread."""
    worker = loop_thread(client)
    return {client.get(path).json()["thread"] == worker for _ in range(times)}


def ask_all(port: int, paths: list[str], connections: int = 8) -> None:
    """Asks over connections on every worker."""

    def ask(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        for path in paths * 5:
            connection.request("GET", path)
            assert connection.getresponse().read() == b"pong"
        connection.close()

    at_once(connections, ask)


@pytest.mark.parametrize("blocking", [True, False, None])
def test_a_route_says_where_it_runs_or_shows_it(blocking: bool | None) -> None:
    app = make_app(Gate())

    @app.route("/where", blocking=blocking)
    def where(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        return {"thread": threading.get_ident()}

    with TestClient(app) as client:
        if blocking is not None:
            assert lanes_of(client, "/where", PROVEN) == {not blocking}
        else:
            assert lanes_of(client, "/where", 10) == {False}, "nobody knows yet that it is fast"
            assert eventually(lambda: lanes_of(client, "/where", 20) == {True}), "now it is known"


def test_a_handler_that_waits_is_left_on_the_pool_however_short_it_waits() -> None:
    app = make_app(Gate())

    @app.route("/nap")
    def nap(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
        time.sleep(0.0001)
        return {"thread": threading.get_ident()}

    with TestClient(app) as client:
        assert lanes_of(client, "/nap", PROVEN) == {False}


def test_one_slow_call_ends_a_routes_stay_on_the_worker() -> None:
    gate = Gate()
    with TestClient(make_app(gate), workers=1) as client:
        prove(client, "/gate")
        assert eventually(lambda: lanes_of(client, "/gate", 5) == {True})
        with ThreadPoolExecutor(1) as crew:
            with gate.closed():
                slow = crew.submit(client.get, "/gate")
                assert eventually(lambda: gate.waiting == 1)
                # The worker's thread sits in the handler: what is asked meanwhile is answered by others.
                ask_all(client.port, ["/ping"])
                gate.shut = False
                assert client.get("/gate").status_code == 200
            assert slow.result().status_code == 200
        assert lanes_of(client, "/gate", 10) == {False}


@pytest.mark.parametrize("workers", [1, 2])
def test_fast_handlers_that_turn_slow_hold_nobody_up(workers: int) -> None:
    gate = Gate()
    with TestClient(make_app(gate), workers=workers) as client, ThreadPoolExecutor(30) as crew:
        prove(client, "/gate")
        prove(client, "/ping")
        with gate.closed():
            held = [crew.submit(client.get, "/gate") for _ in range(30)]
            assert eventually(lambda: gate.waiting == 30), "each has a thread to wait on"
            ask_all(client.port, ["/ping"])
        assert {each.result().status_code for each in held} == {200}
        # Everybody is back at work.
        ask_all(client.port, ["/ping", "/async-ping"])


def test_a_coroutine_that_blocks_its_loop_leaves_the_others_alone() -> None:
    gate = Gate()
    with TestClient(make_app(gate), workers=2) as client, ThreadPoolExecutor(1) as crew:
        with gate.closed():
            held = crew.submit(client.get, "/async-gate")
            assert eventually(lambda: gate.waiting == 1)
            # Coroutines of the blocked worker's connections run on the other worker's loop.
            ask_all(client.port, ["/ping", "/async-ping"])
        assert held.result().text == "through"
        ask_all(client.port, ["/ping", "/async-ping"])


def test_a_loop_goes_on_while_its_thread_is_kept_by_a_plain_handler() -> None:
    """Coroutines that have begun, timers, files and calls from other threads, on the loop of the only worker."""
    gate = Gate()
    app = make_app(gate)
    events: dict[str, asyncio.Event] = {}
    loops: list[asyncio.AbstractEventLoop] = []

    @app.route("/wait")
    async def wait(req: SlimeRequest, resp: SlimeResponse) -> dict[str, bool]:
        loop = asyncio.get_running_loop()
        loops.append(loop)
        events["begun"] = asyncio.Event()
        task = asyncio.current_task()
        async with asyncio.timeout(15):
            await events["begun"].wait()
            await asyncio.sleep(0.001)
            await asyncio.to_thread(time.sleep, 0.001)
        return {
            "task": asyncio.current_task() is task,
            "loop": asyncio.get_running_loop() is loop,
            "running": loop.is_running(),
        }

    with TestClient(app, workers=1) as client, ThreadPoolExecutor(4) as crew:
        prove(client, "/gate")
        for _ in range(3):
            begun = crew.submit(client.get, "/wait")
            assert eventually(lambda: len(loops) > 0)
            with gate.closed():
                held = crew.submit(client.get, "/gate")
                assert eventually(lambda: gate.waiting == 1)
                loops.pop().call_soon_threadsafe(events["begun"].set)
                assert begun.result().json() == {"task": True, "loop": True, "running": True}
                ask_all(client.port, ["/ping", "/async-ping"])
            assert held.result().status_code == 200
            ask_all(client.port, ["/ping", "/async-ping"])
            gate.again()
            prove(client, "/gate", 10 * PROVEN)
            assert eventually(lambda: lanes_of(client, "/gate", 5) == {True})


def test_a_plain_handler_on_the_worker_may_wait_for_a_coroutine_there() -> None:
    app = make_app(Gate())
    kept: list[asyncio.AbstractEventLoop] = []

    @app.route("/keep")
    async def keep(req: SlimeRequest, resp: SlimeResponse) -> str:
        kept.append(asyncio.get_running_loop())
        return "kept"

    @app.route("/ask", blocking=False)
    def ask(req: SlimeRequest, resp: SlimeResponse) -> str:
        async def answer() -> str:
            await asyncio.sleep(0.001)
            return "answer"

        return asyncio.run_coroutine_threadsafe(answer(), kept[0]).result(15)

    with TestClient(app, workers=1) as client:
        client.get("/keep")
        for answers in at_once(4, lambda _: [client.get("/ask").text for _ in range(5)]):
            assert answers == ["answer"] * 5


def test_a_server_stops_while_a_plain_handler_keeps_its_worker(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with gate.closed(), ThreadPoolExecutor(1) as crew:
        with TestClient(make_app(gate), workers=1, shutdown_grace=0.1) as client:
            gate.shut = False
            prove(client, "/gate")
            worker = {thread for thread in threading.enumerate() if thread.name == "slime-loop-0"}
            gate.shut = True
            held = crew.submit(client.get, "/gate")
            assert eventually(lambda: gate.waiting == 1)
        assert "did not end" in caplog.text
    with pytest.raises((OSError, http.client.HTTPException)):
        held.result()
    # The thread that was kept learns of the end as well.
    assert eventually(lambda: not any(thread.is_alive() for thread in worker))


def test_everybody_sees_that_a_loop_runs() -> None:
    app = make_app(Gate())
    loops: list[asyncio.AbstractEventLoop] = []

    @app.route("/within")
    async def within(req: SlimeRequest, resp: SlimeResponse) -> list[bool]:
        loop = asyncio.get_running_loop()
        loops.append(loop)
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_forever()
        return [loop.is_running(), await asyncio.to_thread(loop.is_running)]

    @app.route("/beside", blocking=False)
    def beside(req: SlimeRequest, resp: SlimeResponse) -> list[bool]:
        with pytest.raises(RuntimeError, match="already running"):
            loops[0].run_forever()
        return [loops[0].is_running()]

    @app.route("/pool", blocking=True)
    def pool(req: SlimeRequest, resp: SlimeResponse) -> list[bool]:
        return [loops[0].is_running()]

    with TestClient(app, workers=1) as client:
        assert client.get("/within").json() == [True, True]
        assert client.get("/beside").json() == [True]
        assert client.get("/pool").json() == [True]
        assert loops[0].is_running()
    assert not loops[0].is_running()


def test_a_stream_that_fills_its_buffer_on_the_worker_reaches_its_client() -> None:
    app = make_app(Gate())
    piece = b"x" * 64 * 1024

    @app.route("/stream", blocking=False)
    def stream(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        for _ in range(64):
            writer.write(piece)

    with TestClient(app) as client:
        for _ in range(3):
            assert client.get("/stream").content == piece * 64


def test_a_plain_handler_finds_no_running_loop() -> None:
    app = make_app(Gate())

    @app.route("/run", blocking=False)
    def run(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        async def answer() -> str:
            await asyncio.sleep(0)
            return "answer"

        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return {"answer": asyncio.run(answer())}

    def ask(client: TestClient) -> Callable[[int], None]:
        def turn(number: int) -> None:
            for _ in range(20):
                if number % 2:
                    assert client.get("/run").json() == {"answer": "answer"}
                else:
                    assert client.get("/async-ping").text == "pong"

        return turn

    with TestClient(app) as client:
        at_once(6, ask(client))


def test_what_belongs_to_one_loop_is_refused_on_another(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)
    kept: dict[str, Any] = {}
    lock = threading.Lock()

    @app.route("/wait")
    async def wait(req: SlimeRequest, resp: SlimeResponse) -> str:
        with lock:
            future = kept.setdefault("future", asyncio.get_running_loop().create_future())
        if future.get_loop() is asyncio.get_running_loop():
            return "mine"
        async with asyncio.timeout(10):
            await future
        return "not reached"

    with TestClient(app, workers=2) as client, caplog.at_level(logging.ERROR):
        statuses = {status for answers in at_once(8, lambda _: [client.get("/wait").status_code]) for status in answers}
    if is_gil_enabled():
        assert statuses == {200}, "coroutines run on one loop"
    else:
        assert statuses == {200, 500}
        assert "attached to a different loop" in caplog.text


def test_with_the_gil_coroutines_of_all_connections_share_a_loop() -> None:
    app = Slime(__file__)
    loops: set[asyncio.AbstractEventLoop] = set()

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return "pong"

    with TestClient(app, workers=2) as client:
        ask_all(client.port, ["/"])
    assert len(loops) == (1 if is_gil_enabled() else 2)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks start eagerly from 3.12 on")
def test_a_coroutine_that_never_suspends_is_a_task_all_the_same() -> None:
    app = Slime(__file__)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, bool]:
        async with asyncio.timeout(1):
            task = asyncio.current_task()
        return {"task": isinstance(task, asyncio.Task)}

    with TestClient(app) as client:
        assert client.get("/").json() == {"task": True}


def test_timers_files_and_other_threads_wake_the_loop() -> None:
    """What asyncio offers works on a loop that serves connections from inside of its selector."""
    app = Slime(__file__)

    @app.route("/all")
    async def everything(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello")
            writer.write_eof()
            echoed = await reader.read()
            writer.close()
            await writer.wait_closed()
        threaded = await asyncio.to_thread(threading.get_ident)
        woken = asyncio.Event()
        threading.Timer(0.01, loop.call_soon_threadsafe, (woken.set,)).start()
        await woken.wait()
        started = loop.time()
        await asyncio.sleep(0.02)
        process = await asyncio.create_subprocess_exec("echo", "out", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return {
            "echoed": echoed.decode(),
            "threaded": threaded != threading.get_ident(),
            "slept": loop.time() - started >= 0.02,
            "out": out.decode(),
        }

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        await writer.drain()
        writer.close()

    with TestClient(app) as client:
        for answers in at_once(4, lambda _: [client.get("/all").json() for _ in range(5)]):
            for answer in answers:
                assert answer == {"echoed": "hello", "threaded": True, "slept": True, "out": "out\n"}


def test_no_task_ends_its_worker(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(Gate())

    @app.route("/leave")
    async def leave(req: SlimeRequest, resp: SlimeResponse) -> str:
        async def later() -> None:
            await asyncio.sleep(0)
            sys.exit("the whole process")

        kept = asyncio.create_task(later())
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
        await asyncio.wait([kept])
        assert isinstance(kept.exception(), SystemExit)
        return "still here"

    with TestClient(app) as client:
        for _ in range(3):
            assert client.get("/leave").text == "still here"
        ask_all(client.port, ["/ping", "/async-ping"])
    assert "tried to end its event loop" in caplog.text


def pool_threads() -> int:
    """Threads of the pool in this process, by the names that the system knows them by."""
    count = 0
    for path in Path("/proc/self/task").glob("*/comm"):
        # One that has ended since has no name.
        with suppress(OSError):
            name = path.read_text()
            count += name.startswith("slime-pool-") and "grow" not in name
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="the names of threads are read from /proc")
def test_the_pool_shrinks_while_there_is_work_for_a_few_threads() -> None:
    gate, crew = Gate(), 40
    app = make_app(gate)

    @app.route("/quick", blocking=True)
    def quick(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "quick"

    with TestClient(app, workers=1, pool_idle_timeout=0.5) as client:
        with ThreadPoolExecutor(crew) as executor, gate.closed():
            held = [executor.submit(client.get, "/gate") for _ in range(crew)]
            eventually(lambda: gate.waiting == crew)
            assert pool_threads() >= crew
        assert all(request.result().status_code == 200 for request in held)
        # Far more requests than would be needed to keep every thread at work if they took turns.
        eventually(lambda: client.get("/quick").text == "quick" and pool_threads() <= 4, every=0)


def test_threads_that_wait_for_uploads_leave_the_pool_to_others_and_surplus_ones_end() -> None:
    app, crew = Slime(__file__), 12
    begun = threading.Semaphore(0)

    @app.route("/upload", method="POST", stream_body=True, blocking=True)
    def upload(req: SlimeRequest, resp: SlimeResponse) -> str:
        chunks = iter(req.chunks())
        size = len(next(chunks))
        begun.release()
        return str(size + sum(map(len, chunks)))

    @app.route("/ok", blocking=True)
    def ok(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "ok"

    with TestClient(app, workers=1, pool_threads=2, worker_queue_size=1) as client, ExitStack() as stack:
        uploads = []
        for _ in range(crew):
            wire = stack.enter_context(Wire.tcp("127.0.0.1", client.port))
            wire.send(b"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\na")
            assert begun.acquire(timeout=15)
            uploads.append(wire)
        assert client.get("/ok").text == "ok"
        for wire in uploads:
            wire.send(b"bc")
        assert [wire.answer().text for wire in uploads] == ["3"] * crew
        if sys.platform == "linux":
            eventually(lambda: pool_threads() <= 2, what="no more threads than the limit")
        assert client.get("/ok").text == "ok"
