"""Two hundred thousand requests leave the process as large as it was."""

from __future__ import annotations

import pytest

from support.footprint import resident_memory
from support.process import ServerProcess, StartTour

PATHS = ("/ping", "/users/7", "/nap/0", "/prices/2.5")
PIPELINED = 50
WARM_UP, REQUESTS = 40_000, 200_000
MOST_GROWTH = 5 * 1024 * 1024


def ask(server: ServerProcess, count: int) -> None:
    """Asks `count` times, plain handlers and coroutines in turn, over connections on both workers."""
    batch = b"".join(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for path in PATHS) * (PIPELINED // len(PATHS))
    per_batch = PIPELINED // len(PATHS) * len(PATHS)
    wires = [server.wire(timeout=30) for _ in range(4)]
    try:
        for _ in range(count // (per_batch * len(wires))):
            for wire in wires:
                wire.send(batch)
            for wire in wires:
                for _ in range(per_batch):
                    assert wire.answer().status == 200
    finally:
        for wire in wires:
            wire.close()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_requests_served(start_tour: StartTour) -> None:
    server = start_tour(SLIME_WORKER="2")
    ask(server, WARM_UP)
    before = resident_memory(server.pid)
    ask(server, REQUESTS)
    growth = resident_memory(server.pid) - before
    print(f"{before / 2**20:.1f} MiB after {WARM_UP:,} requests, {growth / 2**20:+.2f} MiB after {REQUESTS:,} more")
    assert growth <= MOST_GROWTH
