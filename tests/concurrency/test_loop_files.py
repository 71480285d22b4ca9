"""The files that a worker's event loop watches: their callbacks run as those of any `asyncio` loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient


@contextmanager
def pairs(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            ends = socket.socketpair()
            for end in ends:
                end.setblocking(False)
                stack.enter_context(end)
            made.append(ends)
        yield made


@pytest.mark.parametrize("debug", [False, True])
def test_a_callback_that_another_one_has_removed_is_not_called(debug: bool) -> None:
    app = Slime(__file__)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        loop.set_debug(debug)
        called: list[int] = []
        try:
            with pairs(2) as both:

                def ready(number: int) -> None:
                    called.append(number)
                    for end, _ in both:
                        loop.remove_reader(end)

                for number, (end, other) in enumerate(both):
                    other.send(b"x")
                    loop.add_reader(end, ready, number)
                for _ in range(5):
                    await asyncio.sleep(0)
                await asyncio.sleep(0.01)
        finally:
            loop.set_debug(False)
        return {"called": len(called)}

    with TestClient(app, workers=1) as client:
        assert client.get("/").json() == {"called": 1}


def test_one_that_raises_is_reported_and_the_others_are_called() -> None:
    app = Slime(__file__)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        reported: list[str] = []
        loop.set_exception_handler(lambda _, context: reported.append(repr(context["exception"])))
        seen = asyncio.Event()
        try:
            with pairs(2) as (first, second):

                def fail() -> None:
                    loop.remove_reader(first[0])
                    raise ValueError("no")

                def succeed() -> None:
                    loop.remove_reader(second[0])
                    seen.set()

                loop.add_reader(first[0], fail)
                loop.add_reader(second[0], succeed)
                first[1].send(b"x")
                second[1].send(b"x")
                await asyncio.wait_for(seen.wait(), 10)
                while not reported:
                    await asyncio.sleep(0)
        finally:
            loop.set_exception_handler(None)
        return {"reported": reported}

    with TestClient(app, workers=1) as client:
        assert client.get("/").json() == {"reported": ["ValueError('no')"]}


def test_a_file_is_read_from_and_written_to_at_once() -> None:
    app = Slime(__file__)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        sides: list[str] = []
        done = asyncio.Event()
        with pairs(1) as [(end, other)]:

            def note(side: str) -> None:
                (loop.remove_reader if side == "read" else loop.remove_writer)(end)
                sides.append(side)
                if len(sides) == 2:
                    done.set()

            other.send(b"x")
            loop.add_reader(end, note, "read")
            loop.add_writer(end, note, "write")
            await asyncio.wait_for(done.wait(), 10)
        return {"sides": sides}

    with TestClient(app, workers=1) as client:
        assert client.get("/").json() == {"sides": ["read", "write"]}


@pytest.mark.parametrize("debug", [False, True])
def test_streams_of_asyncio_carry_much_in_pieces_of_moderate_size(debug: bool) -> None:
    app = Slime(__file__)
    size = 4 * 1024 * 1024

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        loop.set_debug(debug)
        pieces: list[int] = []

        class Counting(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                pieces.append(len(data))
                self.transport.write(data)

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                self.transport = transport

        try:
            server = await loop.create_server(Counting, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                sent = bytes(range(256)) * (size // 256)
                writer.write(sent)
                came = await asyncio.wait_for(reader.readexactly(size), 60)
                writer.close()
                await writer.wait_closed()
        finally:
            loop.set_debug(False)
        return {"same": came == sent, "total": sum(pieces), "largest": max(pieces)}

    with TestClient(app, workers=1) as client:
        told = client.get("/").json()
    assert told["same"]
    assert told["total"] == size
    assert told["largest"] <= 64 * 1024
