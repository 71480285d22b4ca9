"""How the server ends with all kinds of clients at once: each gets the end of its kind, and the process its own."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from support.certificate import self_signed
from support.http2 import PatientConnection
from support.process import ServerProcess
from support.websocket import CLOSE, TEXT, client_frame

GRACE = 5.0
GOING_AWAY = 1001

APP = """
import asyncio, collections, threading, time
from slimeweb import Slime

app = Slime(__file__)
stopping = threading.Event()
lock = threading.Lock()
counts = collections.Counter()

def count(what):
    with lock:
        counts[what] += 1

@app.stream('/plain/ticking', content='text/event-stream')
def plain_ticking(req, resp):
    resp.start_stream()
    try:
        while True:
            resp.send_event('tick')
            time.sleep(0.05)
    finally:
        count('left')

@app.stream('/plain/quiet', content='text/event-stream')
def plain_quiet(req, resp):
    resp.start_stream()
    resp.send_event('tick')
    threading.Event().wait()

@app.stream('/coroutine/ticking', content='text/event-stream')
async def coroutine_ticking(req, resp):
    resp.start_stream()
    try:
        while True:
            await resp.send_event('tick')
            await asyncio.sleep(0.05)
    finally:
        count('left')

@app.stream('/coroutine/quiet', content='text/event-stream')
async def coroutine_quiet(req, resp):
    resp.start_stream()
    resp.send_event('tick')
    try:
        await asyncio.Event().wait()
    finally:
        count('left')

@app.websocket('/ws/plain')
def ws_plain(req, resp):
    resp.on_message(lambda message: resp.send(message))
    resp.on_close(lambda: (count('closed'), stopping.set()))

@app.websocket('/ws/coroutine')
async def ws_coroutine(req, resp):
    async def echo(message):
        await resp.send(message)

    async def closed():
        count('closed')
        stopping.set()

    resp.on_message(echo)
    resp.on_close(closed)

@app.route('/upload/plain', method='POST')
def upload_plain(req, resp):
    return str(len(req.bytes))

@app.route('/upload/coroutine', method='POST')
async def upload_coroutine(req, resp):
    return str(len(req.bytes))

@app.route('/upload/plain/pieces', method='POST', stream_body=True)
def upload_plain_pieces(req, resp):
    return str(sum(len(piece) for piece in req.chunks()))

@app.route('/upload/coroutine/pieces', method='POST', stream_body=True)
async def upload_coroutine_pieces(req, resp):
    size = 0
    async for piece in req.chunks():
        size += len(piece)
    return str(size)

@app.route('/busy/spin')
def spin(req, resp):
    count('busy')
    while not stopping.is_set():
        pass
    return 'done'

@app.route('/busy/sleep')
def sleep(req, resp):
    count('busy')
    stopping.wait()
    time.sleep(0.5)
    return 'done'

@app.route('/forever/spin')
def spin_forever(req, resp):
    count('busy')
    while True:
        pass

@app.route('/forever/sleep')
def sleep_forever(req, resp):
    count('busy')
    while True:
        time.sleep(0.001)

@app.route('/counts')
async def show(req, resp):
    return dict(counts)

@app.end()
def end(error):
    print(f"ended error={error} left={counts['left']} closed={counts['closed']}", flush=True)

app.serve()
"""

STREAMS = ["/plain/ticking", "/plain/quiet", "/coroutine/ticking", "/coroutine/quiet"]
UPLOADS = ["/upload/plain", "/upload/coroutine", "/upload/plain/pieces", "/upload/coroutine/pieces"]
UPLOAD_SIZE = 1000


@dataclass
class Crowd:
    """Clients of one server, in one event loop, and when each saw its end (seconds after the signal)."""

    server: ServerProcess
    signalled: float = 0.0
    there: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    ends: dict[str, list[float]] = field(default_factory=dict)
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for protocol in ("http/1.1", "h2"):
            self._contexts[protocol] = context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols([protocol])

    async def connect(self, protocol: str = "http/1.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = self._contexts[protocol]
        return await asyncio.open_connection(
            self.server.host, self.server.port, ssl=context, server_hostname="localhost"
        )

    def ended(self, kind: str) -> None:
        assert self.signalled, f"{kind} ended before the server was told to"
        self.ends.setdefault(kind, []).append(time.monotonic() - self.signalled)

    async def event_stream(self, target: str) -> None:
        """HTTP/1.1: to the last chunk, and the end of the connection after it."""
        reader, writer = await self.connect()
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        assert b"chunked" in head.lower(), head
        arrived = False
        while size := int(await reader.readuntil(b"\r\n"), 16):
            piece = await reader.readexactly(size + 2)
            # A quiet one sends comments, where it takes long until all are there.
            assert piece in (b"data: tick\n\n\r\n", b":\n\n\r\n"), piece
            if not arrived:
                arrived = True
                self.there += 1
        assert await reader.readexactly(2) == b"\r\n"
        self.ended("stream over HTTP/1.1")
        assert await reader.read(1) == b""
        writer.transport.abort()

    async def event_streams(self, targets: list[str]) -> None:
        """HTTP/2: several on one connection, each to its END_STREAM."""
        connection = PatientConnection(H2Configuration(client_side=True, header_encoding="utf-8"))
        reader, writer = await self.connect("h2")
        connection.initiate_connection()
        open_streams, silent = set(), set()
        for target in targets:
            stream = connection.get_next_available_stream_id()
            connection.send_headers(stream, _fields("GET", target), end_stream=True)
            open_streams.add(stream)
            silent.add(stream)
        writer.write(connection.data_to_send())
        while open_streams:
            data = await reader.read(65536)
            assert data, f"the connection ended before {len(open_streams)} of its streams"
            for event in connection.receive_data(data):
                assert not isinstance(event, StreamReset), event
                if isinstance(event, ResponseReceived):
                    assert (":status", "200") in (event.headers or [])
                elif isinstance(event, DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if event.stream_id in silent:
                        silent.discard(event.stream_id)
                        self.there += 1
                elif isinstance(event, StreamEnded):
                    open_streams.discard(event.stream_id)
                    self.ended("stream over HTTP/2")
            writer.write(connection.data_to_send())
        writer.transport.abort()

    async def websocket(self, target: str) -> None:
        """To the close frame with 1001, and the end of the connection once that is answered."""
        reader, writer = await self.connect()
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        writer.write(client_frame(TEXT, b"hello"))
        assert await reader.readexactly(7) == b"\x81\x05hello"
        self.there += 1
        assert await reader.readexactly(4) == bytes([0x80 | CLOSE, 2]) + GOING_AWAY.to_bytes(2, "big")
        writer.write(client_frame(CLOSE, GOING_AWAY.to_bytes(2, "big")))
        self.ended("WebSocket")
        assert await reader.read(1) == b""
        writer.transport.abort()

    async def upload(self, target: str, *, finishes: bool) -> None:
        """HTTP/1.1: a body that comes drop by drop. Its rest once the server stops, or drops for ever."""
        reader, writer = await self.connect()
        writer.write(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_SIZE}\r\n\r\n".encode())
        ended = asyncio.Event()

        async def receive() -> bytes:
            heard = bytearray()
            with suppress(OSError, EOFError):
                while piece := await reader.read(65536):
                    heard += piece
            ended.set()
            return bytes(heard)

        receiving = asyncio.create_task(receive())
        sent = await self._drip(writer.write, until=self.stopping if finishes else ended)
        if finishes:
            writer.write(b"x" * (UPLOAD_SIZE - sent))
        heard = await receiving
        if finishes:
            assert heard.startswith(b"HTTP/1.1 200"), heard
            assert heard.endswith(b"\r\n\r\n1000"), heard
            self.ended("upload that is finished")
        else:
            self.ended("upload that is not")
        writer.transport.abort()

    async def upload2(self, target: str, *, finishes: bool) -> None:
        """The same over HTTP/2."""
        connection = PatientConnection(H2Configuration(client_side=True, header_encoding="utf-8"))
        reader, writer = await self.connect("h2")
        connection.initiate_connection()
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, [*_fields("POST", target), ("content-length", str(UPLOAD_SIZE))])
        body, ended, status = bytearray(), asyncio.Event(), ""

        def send(piece: bytes, *, end: bool = False) -> None:
            connection.send_data(stream, piece, end_stream=end)
            writer.write(connection.data_to_send())

        async def receive() -> None:
            nonlocal status
            with suppress(OSError, EOFError):
                while data := await reader.read(65536):
                    for event in connection.receive_data(data):
                        if isinstance(event, ResponseReceived):
                            status = dict(event.headers or [])[":status"]
                        elif isinstance(event, DataReceived):
                            body.extend(event.data or b"")
                        elif isinstance(event, StreamEnded | StreamReset):
                            ended.set()
                    writer.write(connection.data_to_send())
            ended.set()

        receiving = asyncio.create_task(receive())
        sent = await self._drip(send, until=self.stopping if finishes else ended)
        if finishes:
            send(b"x" * (UPLOAD_SIZE - sent), end=True)
        await ended.wait()
        if finishes:
            assert (status, bytes(body)) == ("200", b"1000")
            self.ended("upload that is finished")
        else:
            self.ended("upload that is not")
        receiving.cancel()
        writer.transport.abort()

    async def _drip(self, send: Callable[[bytes], object], *, until: asyncio.Event) -> int:
        sent = 0
        while not until.is_set() and sent < UPLOAD_SIZE - 1:
            send(b"x")
            sent += 1
            if sent == 2:
                self.there += 1
            await asyncio.sleep(0.05)
        return sent

    async def busy(self, target: str) -> None:
        """A request whose handler computes or sleeps: answered where it ends, else the connection is closed."""
        reader, writer = await self.connect()
        writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.there += 1
        if target.startswith("/busy"):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            assert await reader.readexactly(4) == b"done"
            self.ended("busy handler that ends")
        else:
            with suppress(OSError, EOFError):
                assert await reader.read(1) == b""
            self.ended("busy handler that does not")
        writer.transport.abort()


def _fields(method: str, target: str) -> list[tuple[str, str]]:
    return [(":method", method), (":path", target), (":scheme", "https"), (":authority", "localhost")]


@dataclass
class Outcome:
    """One round: seconds from the signal to the slowest end of each kind, and to the end of the process."""

    ends: dict[str, tuple[int, float]]
    exit: float
    code: int
    output: str

    def __str__(self) -> str:
        kinds = "; ".join(f"{count} {kind} {slowest:.2f} s" for kind, (count, slowest) in sorted(self.ends.items()))
        return f"exit {self.code} after {self.exit:.2f} s; {kinds}"


async def _visit(server: ServerProcess) -> Outcome:
    crowd = Crowd(server)
    clients = [
        *(crowd.event_stream(STREAMS[number % 4]) for number in range(48)),
        *(crowd.event_streams(STREAMS) for _ in range(13)),
        *(crowd.websocket(f"/ws/{('plain', 'coroutine')[number % 2]}") for number in range(100)),
        *(crowd.upload(target, finishes=finishes) for target in UPLOADS for finishes in (True, False)),
        *(crowd.upload2(target, finishes=finishes) for target in UPLOADS for finishes in (True, False)),
        *(crowd.upload(target, finishes=True) for target in UPLOADS),
        *(crowd.busy(f"/busy/{('spin', 'sleep')[number % 2]}") for number in range(10)),
        *(crowd.busy(f"/forever/{('spin', 'sleep')[number % 2]}") for number in range(10)),
    ]
    tasks = [asyncio.create_task(client) for client in clients]

    async def everybody_is_there() -> None:
        while crowd.there < 48 + 4 * 13 + 100 + 20 + 20:
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)
        while (await asyncio.to_thread(server.ask, "/counts")).json()["busy"] < 20:
            await asyncio.sleep(0.05)

    await asyncio.wait_for(everybody_is_there(), 60)
    crowd.signalled = time.monotonic()
    server.send_signal(signal.SIGTERM)
    crowd.stopping.set()
    code = await asyncio.to_thread(server.wait, GRACE + 20)
    end = time.monotonic() - crowd.signalled
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    ends = {kind: (len(seconds), max(seconds)) for kind, seconds in crowd.ends.items()}
    return Outcome(ends, end, code, server.output)


@pytest.fixture
def outcome(tmp_path: Path) -> Callable[[], Outcome]:
    """Runs a server with a crowd of clients, stops it and gives what became of them."""
    cert, key = self_signed(tmp_path)
    script = tmp_path / "app.py"
    script.write_text(APP)
    env = {"SLIME_SHUTDOWN_GRACE": str(GRACE), "SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)}

    def run() -> Outcome:
        with ServerProcess(script, env=env) as server:
            server.wait_until_serving()
            return asyncio.run(_visit(server))

    return run


def check(outcome: Outcome) -> None:
    assert outcome.code == 0, outcome.output
    assert outcome.exit < GRACE + 2, outcome
    counts = {kind: count for kind, (count, _) in outcome.ends.items()}
    assert counts == {
        "stream over HTTP/1.1": 48,
        "stream over HTTP/2": 52,
        "WebSocket": 100,
        "upload that is finished": 12,
        "upload that is not": 8,
        "busy handler that ends": 10,
        "busy handler that does not": 10,
    }
    for kind in ("stream over HTTP/1.1", "stream over HTTP/2", "WebSocket"):
        assert outcome.ends[kind][1] < 2, outcome
    # A plain stream that is quiet stays where it is.
    assert outcome.output.count("ended error=None left=75 closed=100") == 1, outcome.output
    assert outcome.output.count("stopping: waiting for ") == 1, outcome.output
    for word in ("Traceback", "FATAL", "panicked"):
        assert word not in outcome.output, outcome.output


def test_a_crowd_of_clients_gets_clean_ends_and_the_process_ends_well(outcome: Callable[[], Outcome]) -> None:
    """Event streams and WebSockets within 2 s; the process within 2 s of the grace time, which busy handlers use up."""
    check(outcome())


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 21))
def test_a_crowd_gets_clean_ends_twenty_times_in_a_row(outcome: Callable[[], Outcome], number: int) -> None:
    seen = outcome()
    print(f"round {number}: {seen}", flush=True)
    check(seen)
