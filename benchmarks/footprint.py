"""What a server costs while it does nothing: time to start, memory, and memory per idle connection."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.processes import Process, ServerFailed
from benchmarks.workloads import PLAINTEXT

__all__ = ["Footprint", "footprint", "raise_file_limit"]

CONNECTIONS = 10_000
# Allocators and start-up threads come to rest; memory has no event to wait for.
SETTLE = 0.5


@dataclass(frozen=True, slots=True)
class Footprint:
    """Seconds to the first answer; bytes resident after it; bytes per idle connection, and how many there were."""

    start: float
    rss: int
    pss: int
    connection: float | None
    connections: int


def footprint(start: Callable[[], Process], connections: int = CONNECTIONS) -> Footprint:
    """Starts a server for this alone, and stops it again. ServerFailed when it does not start."""
    process = start()
    held: list[socket.socket] = []
    try:
        seconds = process.wait_ready()
        time.sleep(SETTLE)
        idle = process.memory()
        held = _open(process.port, connections)
        time.sleep(SETTLE)
        loaded = process.memory()
        alive = sum(1 for connection in held if _is_open(connection))
        if not process.alive:
            raise ServerFailed(f"ended under {len(held)} idle connections: {process.last_words()}")
        # A server that closes connections on its own has no figure per connection.
        each = (loaded.rss - idle.rss) / alive if alive == connections else None
        return Footprint(seconds, idle.rss, idle.pss, each, alive)
    finally:
        for connection in held:
            connection.close()
        process.stop()


def raise_file_limit(needed: int = CONNECTIONS + 1000) -> None:
    """Lets this process and its children hold enough sockets. OSError says what the limit is if that is not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OSError(f"at most {hard} open files are allowed, {needed} are needed: raise `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _open(port: int, count: int) -> list[socket.socket]:
    """Connections that have had one answer each and now idle; fewer than asked for where the server gives up."""
    probe = PLAINTEXT.probes[0]
    request = f"GET {probe.request.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    held: list[socket.socket] = []
    for _ in range(count):
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=5.0)
            held.append(connection)
            connection.sendall(request)
            received = b""
            while not received.endswith(probe.expected.body):
                piece = connection.recv(4096)
                if not piece:
                    break
                received += piece
        except OSError:
            break
    return held


def _is_open(connection: socket.socket) -> bool:
    try:
        connection.setblocking(False)
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
