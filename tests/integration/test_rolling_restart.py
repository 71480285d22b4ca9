"""Two servers are restarted in turn while their clients go on asking: no request is lost."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset

from support.certificate import self_signed
from support.http2 import PatientConnection
from support.process import ServerProcess

APP = """
import asyncio, time
from slimeweb import Slime

app = Slime(__file__)

@app.route('/plain')
def plain(req, resp):
    time.sleep(0.002)
    return 'answer'

@app.route('/coroutine')
async def coroutine(req, resp):
    await asyncio.sleep(0.002)
    return 'answer'

app.serve()
"""

TARGETS = ("/plain", "/coroutine")


class Pair:
    """Two servers of one application, on ports that stay the same."""

    def __init__(self, directory: Path, *, tls: bool) -> None:
        self._script = directory / "app.py"
        self._script.write_text(APP)
        self._env = {"SLIME_SHUTDOWN_GRACE": "20"}
        if tls:
            cert, key = self_signed(directory)
            self._env |= {"SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)}
        self._servers = [self._start(0), self._start(0)]
        self.ports = [server.port for server in self._servers]

    def _start(self, port: int) -> ServerProcess:
        server = ServerProcess(self._script, env={**self._env, "SLIME_PORT": str(port)})
        return server.wait_until_serving()

    def restart(self, number: int) -> None:
        server = self._servers[number]
        assert server.stop() == 0, server.output
        assert "Traceback" not in server.output, server.output
        self._servers[number] = self._start(self.ports[number])

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as servers:
            for server in self._servers:
                servers.callback(server.kill)


@dataclass
class Clients:
    """They ask without a pause, and keep their connections for as long as the server does."""

    ports: list[int]
    tls: bool
    answered: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    stopping: bool = False

    def __post_init__(self) -> None:
        self._turn = itertools.cycle(range(len(self.ports)))

    async def connect(self, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To either server that is there. What could not be connected has asked nothing yet: it is tried elsewhere."""
        context = None
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols([protocol])
        while True:
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self.ports[next(self._turn)], ssl=context)
            await asyncio.sleep(0.005)

    async def http1(self, *, once: bool) -> None:
        """One request after the other; `once` on a connection of its own for each."""
        for target in itertools.cycle(TARGETS):
            if self.stopping:
                return
            reader, writer = await self.connect("http/1.1")
            keep = True
            while keep and not self.stopping:
                writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                    body = await reader.readexactly(6)
                except (OSError, EOFError) as error:
                    self.lost.append(f"HTTP/1.1, {'its first' if once else 'a'} request: {error!r}")
                    break
                assert (head[:12], body) == (b"HTTP/1.1 200", b"answer")
                self.answered["once" if once else "kept"] += 1
                keep = not once and b"connection: close" not in head.lower()
            writer.transport.abort()

    async def http2(self) -> None:
        """Several requests at a time on one connection. Those that GOAWAY does not count are not processed, and are
        asked again (RFC 9113, section 6.8)."""
        while not self.stopping:
            reader, writer = await self.connect("h2")
            await self._connection(reader, writer)
            writer.transport.abort()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = PatientConnection(H2Configuration(client_side=True, header_encoding="utf-8"))
        connection.initiate_connection()
        bodies: dict[int, bytes] = {}
        last = 2**31 - 1
        going_away = False

        def begin() -> None:
            stream = connection.get_next_available_stream_id()
            fields = [(":method", "GET"), (":path", TARGETS[stream // 2 % 2])]
            connection.send_headers(stream, [*fields, (":scheme", "https"), (":authority", "localhost")], True)
            bodies[stream] = b""

        for _ in range(4):
            begin()
        while bodies:
            writer.write(connection.data_to_send())
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            if not data:
                self.lost += [f"HTTP/2, stream {stream}, last {last}" for stream in bodies if stream <= last]
                return
            for event in connection.receive_data(data):
                if isinstance(event, ConnectionTerminated):
                    assert not event.error_code, event
                    going_away, last = True, min(last, event.last_stream_id or 0)
                    for stream in [stream for stream in bodies if stream > last]:
                        del bodies[stream]
                elif isinstance(event, DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if event.stream_id in bodies:
                        bodies[event.stream_id] += event.data or b""
                elif isinstance(event, StreamReset):
                    self.lost.append(f"HTTP/2: {event!r}")
                    bodies.pop(event.stream_id, None)
                elif isinstance(event, StreamEnded) and event.stream_id in bodies:
                    assert bodies.pop(event.stream_id) == b"answer"
                    self.answered["multiplexed"] += 1
                    if not (going_away or self.stopping):
                        begin()


@pytest.fixture(params=["1.1", "2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _restart(pair: Pair, clients: Clients, version: str, rounds: int) -> None:
    asking = (
        [clients.http2() for _ in range(4)]
        if version == "2"
        else [*(clients.http1(once=False) for _ in range(8)), *(clients.http1(once=True) for _ in range(2))]
    )
    tasks = [asyncio.create_task(each) for each in asking]
    try:
        for number in range(2 * rounds):
            before = clients.answered.total()
            await asyncio.to_thread(pair.restart, number % 2)
            # The clients are on the other one, whose turn is next: both are to be in use by then.
            await asyncio.sleep(0.5)
            assert clients.answered.total() > before
    finally:
        clients.stopping = True
    await asyncio.wait_for(asyncio.gather(*tasks), 30)


def roll(directory: Path, version: str, rounds: int) -> Clients:
    with Pair(directory, tls=version == "2") as pair:
        clients = Clients(pair.ports, version == "2")
        asyncio.run(_restart(pair, clients, version, rounds))
    print(f"HTTP/{version}: {dict(clients.answered)} answered, {len(clients.lost)} lost")
    return clients


def test_no_request_is_lost_when_two_servers_are_restarted_in_turn(tmp_path: Path, version: str) -> None:
    clients = roll(tmp_path, version, 1)
    assert clients.lost == []
    assert clients.answered.total() > 100


@pytest.mark.slow
def test_no_request_is_lost_in_many_restarts(tmp_path: Path, version: str) -> None:
    clients = roll(tmp_path, version, 6)
    assert clients.lost == []
    assert clients.answered.total() > 1000
