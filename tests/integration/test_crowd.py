"""A thousand clients at once, each on a connection that it keeps (Done when, line 3)."""

from __future__ import annotations

import asyncio

from support.condition import eventually
from support.process import ServerProcess

CLIENTS = 1_000
REQUESTS_EACH = 5


async def _client(server: ServerProcess, number: int, connected: asyncio.Barrier) -> list[bytes]:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        await connected.wait()
        bodies = []
        for turn in range(REQUESTS_EACH):
            target = (f"/users/{number}", f"/prices/{number}.5", "/nap/0.01")[turn % 3]
            writer.write(f"GET {target} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            bodies.append(await reader.readexactly(length))
        return bodies
    finally:
        writer.close()


async def _crowd(server: ServerProcess) -> list[list[bytes]]:
    connected = asyncio.Barrier(CLIENTS)
    return await asyncio.gather(*(_client(server, number, connected) for number in range(CLIENTS)))


def test_a_thousand_keep_alive_clients_are_all_answered(tour: ServerProcess) -> None:
    assert tour.ask("/ping").status == 200
    before = eventually(tour.footprint)
    answers = asyncio.run(asyncio.wait_for(_crowd(tour), 90))
    for number, bodies in enumerate(answers):
        assert len(bodies) == REQUESTS_EACH
        assert bodies[0] == b'{"by":"id","id":%d}' % number, "an answer must reach the client that asked"
        assert bodies[3] == bodies[0]
    eventually(
        lambda: tour.footprint().descriptors <= before.descriptors,
        what=f"descriptors back to {before.descriptors}",
    )
    assert tour.ask("/ping").text == "pong"
