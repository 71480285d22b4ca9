"""Handlers that wait do not hold up those that do not (Done when, line 4)."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack

import pytest

from support.condition import eventually
from support.process import ServerProcess, StartTour
from support.wire import Wire

SLEEPERS = 50
SECONDS = 5.0


def in_flight(server: ServerProcess) -> int:
    count: int = server.ask("/stats").json()["in_flight"]
    return count


def p99_of_ping(server: ServerProcess, sleeping: list[Wire]) -> float:
    """Seconds; `/ping` is asked over connections on every worker for as long as the others sleep."""
    took = []
    with ExitStack() as stack:
        wires = [stack.enter_context(server.wire()) for _ in range(8)]
        until = time.monotonic() + SECONDS * 0.7
        while time.monotonic() < until:
            for wire in wires:
                start = time.perf_counter()
                wire.request("GET", "/ping")
                assert wire.answer().text == "pong"
                took.append(time.perf_counter() - start)
    for wire in sleeping:
        wire.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            wire.socket.recv(1)
        wire.socket.settimeout(30)
    took.sort()
    p99 = took[int(len(took) * 0.99)]
    print(
        f"/ping beside {len(sleeping)} sleepers: {len(took)} asked, p50 {took[len(took) // 2] * 1e3:.2f} ms, "
        f"p99 {p99 * 1e3:.2f} ms, worst {took[-1] * 1e3:.2f} ms"
    )
    return p99


@pytest.mark.parametrize("start", ["cold", "warm"])
@pytest.mark.parametrize("route", ["sleep", "nap"])
def test_fifty_sleepers_leave_ping_alone(start_tour: StartTour, start: str, route: str) -> None:
    server = start_tour(SLIME_WORKER="2")
    if start == "warm":
        with server.wire() as wire:
            for _ in range(100):
                wire.send(f"GET /{route}/0 HTTP/1.1\r\nHost: t\r\n\r\n".encode() * 100)
                for _ in range(100):
                    assert wire.answer().status == 200
    with ExitStack() as stack:
        sleeping = [stack.enter_context(server.wire(timeout=30)) for _ in range(SLEEPERS)]
        for wire in sleeping:
            wire.request("GET", f"/{route}/{SECONDS}")
        if start == "warm":
            eventually(lambda: in_flight(server) == SLEEPERS + 1, what="all of them sleep")
        assert p99_of_ping(server, sleeping) < 0.050
        assert [wire.answer().status for wire in sleeping] == [200] * SLEEPERS


def test_a_full_pool_answers_503_with_retry_after(start_tour: StartTour) -> None:
    server = start_tour(SLIME_WORKER="2", SLIME_POOL_THREADS="2", SLIME_WORKER_QUEUE_SIZE="2")
    with ExitStack() as stack:
        wires = [stack.enter_context(server.wire(timeout=30)) for _ in range(30)]
        start = time.monotonic()
        for wire in wires:
            wire.request("GET", "/sleep/1.0")
        answers = [wire.answer() for wire in wires]
        took = time.monotonic() - start
    counted = Counter(answer.status for answer in answers)
    assert set(counted) == {200, 503}, counted
    assert 2 <= counted[200] <= 10, "two threads, and a queue of two for each of two workers"
    for answer in answers:
        if answer.status == 503:
            assert int(str(answer.header("retry-after"))) >= 1
            assert b"Traceback" not in answer.body
    assert took < 8, "a refusal does not wait for a thread"
    assert eventually(lambda: server.ask("/ping").status == 200)


def test_coroutines_do_not_take_the_pool(start_tour: StartTour) -> None:
    """With the pool of blocking handlers full, coroutines are answered as ever."""
    server = start_tour(SLIME_WORKER="2", SLIME_POOL_THREADS="2", SLIME_WORKER_QUEUE_SIZE="2")
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(server.wire(timeout=30)).request("GET", "/sleep/2.0")
        for _ in range(20):
            assert server.ask("/nap/0").status == 200
