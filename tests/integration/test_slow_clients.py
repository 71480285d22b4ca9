"""Clients that do not read, or send their uploads too slowly, cost nobody else anything."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.certificate import self_signed, tls_variables
from support.condition import eventually
from support.footprint import resident_memory
from support.process import ServerProcess
from support.websocket import BINARY, client_frame, open_websocket
from support.wire import Wire

COUNT = 200
SEND_TIMEOUT = 2.0
"""Seconds; also what the server waits for more of an upload."""
GRACE = 5.0
"""Seconds after that by which a slow client is gone."""

APP = '''
import ctypes
import gc
import os
import socket
import threading

from slimeweb import Slime

app = Slime(__file__)
room = app.room("all")
PIECE = b"x" * 65_000
LARGE = bytes(20_000_000)


@app.start()
def little_room():
    """The system would take megabytes for each client before it says that one does not read."""
    for name in os.listdir("/proc/self/fd"):
        try:
            sock = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with sock:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)


@app.route(path="/ok", blocking=True)
def ok(req, resp):
    return "ok"


@app.websocket(path="/echo")
def echo(req, resp):
    resp.on_message(resp.send)


@app.websocket(path="/join")
def join(req, resp):
    room.join(resp)


@app.route(path="/members", blocking=True)
def members(req, resp):
    return {"members": len(room)}


@app.route(path="/broadcast", method="POST", blocking=True)
def broadcast(req, resp):
    def speak():
        while len(room):
            room.broadcast(PIECE, policy="block", queue_size=100_000)

    threading.Thread(target=speak).start()
    return "begun"


@app.route(path="/trim", blocking=True)
def trim(req, resp):
    """What the allocator keeps for later is nobody's: what is left after this is held."""
    gc.collect()
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    return "trimmed"


@app.route(path="/stream", stream="text/plain")
def stream(req, resp):
    resp.start_stream()
    while True:
        resp.send(PIECE)


@app.route(path="/stream/coroutine", stream="text/plain")
async def stream_async(req, resp):
    resp.start_stream()
    while True:
        await resp.send(PIECE)


@app.route(path="/events", stream="text/event-stream")
def events(req, resp):
    resp.start_stream()
    while True:
        resp.send_event(PIECE.decode())


@app.route(path="/events/coroutine", stream="text/event-stream")
async def events_async(req, resp):
    resp.start_stream()
    while True:
        await resp.send_event(PIECE.decode())


@app.route(path="/bytes")
def large(req, resp):
    return LARGE


@app.route(path="/bytes/coroutine")
async def large_async(req, resp):
    return LARGE


@app.route(path="/file")
def file(req, resp):
    return resp.file(os.path.join(os.path.dirname(os.path.abspath(__file__)), "static", "large.bin"))


@app.route(path="/file/coroutine")
async def file_async(req, resp):
    return resp.file(os.path.join(os.path.dirname(os.path.abspath(__file__)), "static", "large.bin"))


@app.route(path="/upload", method="POST", stream_body=True)
def upload(req, resp):
    return str(sum(len(piece) for piece in req.chunks()))


@app.route(path="/post", method="POST")
def post(req, resp):
    return str(len(req.body))


app.serve()
'''


def start(directory: Path, **env: str) -> ServerProcess:
    script = directory / "main.py"
    script.write_text(APP)
    timeout = str(SEND_TIMEOUT)
    env |= {"SLIME_POOL_THREADS": "8", "SLIME_SEND_TIMEOUT": timeout, "SLIME_BODY_TIMEOUT": timeout}
    # What is free goes back to the system at once, so that the memory in use is what is held.
    return ServerProcess(script, env=env | {"SLIME_POOL_IDLE_TIMEOUT": "0.5", "MIMALLOC_PURGE_DELAY": "0"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start(tmp_path_factory.mktemp("slow")) as server:
        yield server.wait_until_serving()


def connected(server: ServerProcess) -> Wire:
    """A connection with as little room as the system allows for what it does not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    sock.settimeout(30)
    sock.connect((server.host, server.port))
    return Wire(sock)


def echo(wire: Wire) -> None:
    """Is to be sent messages by a `Talker`, and reads none of the answers."""
    open_websocket(wire, "/echo")


class Talker:
    """Sends WebSocket messages over many connections, as long as the server takes them, in a thread of its own."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._message = memoryview(client_frame(BINARY, b"x" * 65_000))

    def add(self, wire: Wire) -> None:
        wire.socket.setblocking(False)
        self._selector.register(wire.socket, selectors.EVENT_WRITE, [0])

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.1):
                sock: socket.socket = key.fileobj  # type: ignore[assignment]
                try:
                    key.data[0] = (key.data[0] + sock.send(self._message[key.data[0] :])) % len(self._message)
                except BlockingIOError:
                    pass
                except OSError:
                    self._selector.unregister(sock)

    def __enter__(self) -> Talker:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()
        self._selector.close()


def member(wire: Wire) -> None:
    open_websocket(wire, "/join")


def stream(wire: Wire) -> None:
    wire.request("GET", "/stream")


def upload(wire: Wire) -> None:
    wire.send(b"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nx")


def post(wire: Wire) -> None:
    wire.send(b"POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nx")


KINDS: dict[str, Callable[[Wire], None]] = {
    "echo": echo,
    "stream": stream,
    "broadcast": member,
    "upload": upload,
    "post": post,
}


class Latency:
    """Asks a plain route that blocks, one request after the other over several connections, in a thread of its own."""

    def __init__(self, server: ServerProcess) -> None:
        self.took: list[float] = []
        self.failed: list[BaseException] = []
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                wires = [stack.enter_context(self._server.wire()) for _ in range(4)]
                while not self._over.is_set():
                    for wire in wires:
                        start = time.perf_counter()
                        wire.request("GET", "/ok")
                        assert wire.answer().text == "ok"
                        self.took.append(time.perf_counter() - start)
                    time.sleep(0.002)
        except BaseException as error:
            self.failed.append(error)

    def __enter__(self) -> Latency:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def p99(self) -> float:
        assert not self.failed, self.failed
        self.took.sort()
        return self.took[int(len(self.took) * 0.99)]


def crowd(server: ServerProcess, kinds: list[str]) -> Latency:
    """`COUNT` slow clients of each kind at once. Gives how long others had to wait meanwhile, once all are gone."""
    with ExitStack() as stack:
        latency, talker = stack.enter_context(Latency(server)), stack.enter_context(Talker())
        server.ask("/ok")
        before = server.footprint().descriptors
        for kind in kinds:
            for _ in range(COUNT):
                wire = stack.enter_context(connected(server))
                KINDS[kind](wire)
                if kind == "echo":
                    talker.add(wire)
        if "broadcast" in kinds:
            assert server.ask("/broadcast", "POST").text == "begun"
        start = time.monotonic()
        eventually(
            lambda: server.footprint().descriptors < before + 4,
            within=SEND_TIMEOUT + GRACE,
            every=0.1,
            what=f"all slow clients of {kinds} are gone",
        )
        print(f"{kinds}: gone after {time.monotonic() - start:.1f} s")
    eventually(lambda: server.ask("/members").json() == {"members": 0}, what="nobody is left in the room")
    return latency


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_hold_up_nobody_and_are_gone_within_the_timeout(server: ServerProcess, kind: str) -> None:
    latency = crowd(server, [kind])
    p99 = latency.p99()
    print(f"{kind}: {len(latency.took)} asked, p99 {p99 * 1e3:.1f} ms, worst {latency.took[-1] * 1e3:.1f} ms")
    assert p99 < 0.100


def test_streams_that_get_no_window_over_http2_hold_up_nobody(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    with start(tmp_path, SLIME_TLS_CERT=str(cert), SLIME_TLS_KEY=str(key)) as server, ExitStack() as stack:
        server.wait_until_serving()
        latency = stack.enter_context(Latency(server))
        eventually(lambda: latency.took)
        before = server.footprint()
        for _ in range(2):
            connection = stack.enter_context(server.http2(reads=False))
            for _ in range(COUNT // 2):
                connection.begin("GET", "/stream")
        eventually(lambda: server.footprint().threads >= before.threads + COUNT // 2, what="threads wait for clients")
        eventually(
            lambda: server.footprint().descriptors <= before.descriptors,
            within=SEND_TIMEOUT + GRACE,
            what="the connections are gone",
        )
        stack.close()
        print(f"HTTP/2: {len(latency.took)} asked, p99 {latency.p99() * 1e3:.1f} ms")
        assert latency.p99() < 0.100


UNREAD = [
    *("/bytes", "/bytes/coroutine", "/file", "/file/coroutine", "/static/large.bin"),
    *("/stream", "/stream/coroutine", "/events", "/events/coroutine"),
]
"""Responses that are larger than what the system takes for a client that does not read."""


@pytest.mark.parametrize(("version", "tls"), [("1.1", False), ("1.1", True), ("2", True)])
def test_no_kind_of_response_waits_longer_for_its_reader_than_the_send_timeout(
    tmp_path: Path, version: str, tls: bool
) -> None:
    clients = 5
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "large.bin").write_bytes(bytes(20_000_000))
    env = tls_variables(tmp_path) if tls else {}
    with start(tmp_path, **env) as server, ExitStack() as stack:
        server.wait_until_serving()
        latency = stack.enter_context(Latency(server))
        eventually(lambda: latency.took)
        before = server.footprint().descriptors
        began = time.monotonic()
        for path in UNREAD:
            for _ in range(clients):
                # Not more than the beginning is read.
                if version == "2":
                    connection = stack.enter_context(server.http2(reads=False))
                    assert connection.head(connection.begin("GET", path)) == 200
                else:
                    wire = stack.enter_context(server.wire() if tls else connected(server))
                    wire.request("GET", path)
                    assert wire.exactly(12) == b"HTTP/1.1 200"
        eventually(
            lambda: server.footprint().descriptors <= before,
            within=SEND_TIMEOUT + GRACE,
            every=0.1,
            what="the connections and files of all who do not read are closed",
        )
        # None of them was cut before its time.
        assert time.monotonic() - began >= SEND_TIMEOUT
        asked = len(latency.took)
        eventually(lambda: len(latency.took) > asked)
        stack.close()
        assert not latency.failed
        # Others waited for none of them.
        assert max(latency.took) < SEND_TIMEOUT


@pytest.mark.slow
def test_slow_clients_of_all_kinds_at_once_leave_nothing_behind(server: ServerProcess) -> None:
    limit = 0
    for _ in range(3):
        latency = crowd(server, list(KINDS))
        p99 = latency.p99()
        print(f"all: {len(latency.took)} asked, p99 {p99 * 1e3:.1f} ms, worst {latency.took[-1] * 1e3:.1f} ms")
        assert p99 < 0.100
        eventually(lambda: server.footprint().threads < 20, what="the threads that waited have ended")
        # The first round makes what stays, such as the threads of the core.
        limit = limit or held(server) + 32 * 1024 * 1024
        eventually(lambda most=limit: held(server) < most, every=0.2, what="the memory is back to the level before")
    print(f"{held(server) >> 20} MiB are held")


def held(server: ServerProcess) -> int:
    """Bytes of memory, without what the allocator keeps for later."""
    assert server.ask("/trim").text == "trimmed"
    return resident_memory(server.pid)
