"""Ten thousand open connections: what they cost, and how long a broadcast takes to reach the last of them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.condition import eventually
from support.footprint import resident_memory
from support.process import ServerProcess
from support.websocket import open_websocket, server_frame
from support.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLIENTS = 10_000
PROCESSES = 2
SIZE = 1024

SERVER = """
import resource
from slimeweb import Slime

_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
app = Slime(__file__)


@app.websocket(path="/room", deflate=False, ping_interval=600)
async def enter(req, resp):
    @resp.on_open
    async def arrived():
        app.room("all").join(resp)


@app.route(path="/broadcast", method="POST")
def broadcast(req, resp):
    app.room("all").broadcast(req.body)
    return {"members": len(app.room("all"))}


@app.route(path="/members")
def members(req, resp):
    return {"members": len(app.room("all"))}


app.serve(max_connections=20_000)
"""

# Opens its share of the connections, says so, and then says when each has got every broadcast that it was told of.
CROWD = """
import asyncio, resource, sys, time

port, count, size = map(int, sys.argv[1:])
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
HANDSHAKE = (
    b"GET /room HTTP/1.1\\r\\nHost: t\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
    b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n"
)


async def main():
    limit = asyncio.Semaphore(200)

    async def enter():
        async with limit:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HANDSHAKE)
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            assert head.startswith(b"HTTP/1.1 101"), head
            return reader, writer

    crowd = await asyncio.gather(*(enter() for _ in range(count)))
    print("open", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        # A frame of 126 to 65535 bytes has four bytes of head, unmasked.
        expected = int(line) * (size + 4)
        await asyncio.gather(*(reader.readexactly(expected) for reader, _ in crowd))
        print("all", time.time(), flush=True)


asyncio.run(main())
"""


class Crowd:
    """Client processes, each with its share of the connections."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-c", CROWD, str(port), str(CLIENTS // PROCESSES), str(SIZE)]
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(PROCESSES)
        ]
        for process in self._processes:
            assert self._line(process) == "open"

    def _line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def expect(self, broadcasts: int) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{broadcasts}\n")
            process.stdin.flush()

    def last(self) -> float:
        """When the last client had everything, in seconds since the epoch."""
        return max(float(self._line(process).removeprefix("all ")) for process in self._processes)

    def leave(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@contextmanager
def crowd(port: int) -> Iterator[Crowd]:
    people = Crowd(port)
    try:
        yield people
    finally:
        people.leave()


def idler(port: int) -> socket.socket:
    """A client that enters and then never reads."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", port))
    open_websocket(Wire(peer), "/room")
    return peer


def test_a_broadcast_reaches_ten_thousand_and_one_that_does_not_read_slows_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "rooms.py"
    script.write_text(SERVER)
    message = b"x" * SIZE
    with ServerProcess(script).wait_until_serving() as server:
        assert server.ask("/broadcast", "POST", body=message).json() == {"members": 0}
        before = resident_memory(server.pid)
        with crowd(server.port) as people:
            # A client sees the 101 before the server's callback has let it into the room.
            inside = {"members": CLIENTS}
            eventually(lambda: server.ask("/members").json() == inside, within=60, what="all are in the room")
            each = (resident_memory(server.pid) - before) / CLIENTS
            people.expect(1)
            started = time.time()
            answer = server.ask("/broadcast", "POST", body=message, timeout=60)
            assert answer.json() == {"members": CLIENTS}
            alone = people.last() - started
            with idler(server.port):
                inside = {"members": CLIENTS + 1}
                eventually(lambda: server.ask("/members").json() == inside, what="the idle one is in the room")
                # More than the kernel takes for the one that does not read: its queue fills, and drops.
                rounds = 40
                people.expect(rounds)
                started = time.time()
                for _ in range(rounds):
                    answer = server.ask("/broadcast", "POST", body=message, timeout=60)
                assert answer.json() == {"members": CLIENTS + 1}
                beside = (people.last() - started) / rounds
        with capsys.disabled():
            figures = {"bytes a connection": round(each), "last client, ms": round(alone * 1000)}
            print("\n" + json.dumps(figures | {"last client beside one that does not read, ms": round(beside * 1000)}))
        with server.wire() as wire:
            open_websocket(wire, "/room")
            # All the others have left by themselves.
            eventually(lambda: server.ask("/members").json() == {"members": 1}, within=60, what="one is left")
            assert server.ask("/broadcast", "POST", body=message).status == 200
            assert server_frame(wire).payload == message
