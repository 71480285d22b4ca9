"""The files that a worker's event loop watches: their callbacks run as those of any `asyncio` loop."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.certificate import self_signed


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


class Ends(asyncio.Protocol):
    """Notes what comes, and how the connection ends."""

    def __init__(self) -> None:
        self.came = b""
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.came += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)


def test_what_any_buffer_holds_is_sent_and_an_end_is_an_end() -> None:
    app = Slime(__file__)
    kinds = (bytes(70_000), bytearray(b"array"), memoryview(b"view"), memoryview(b"abcdefgh").cast("I"), b"", b"end")

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        with pairs(1) as [(end, other)]:
            _, reading = await loop.create_connection(Ends, sock=other)
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=end)
            assert isinstance(transport.get_extra_info("socket").fileno(), int)
            for data in kinds:
                transport.write(data)
            transport.write_eof()
            error = await asyncio.wait_for(reading.ended, 10)
            transport.close()
            return {"same": reading.came == b"".join(bytes(data) for data in kinds), "error": repr(error)}

    with TestClient(app, workers=1) as client:
        assert client.get("/").json() == {"same": True, "error": "None"}


def test_a_peer_that_resets_is_the_error_that_a_socket_raises() -> None:
    app = Slime(__file__)

    @app.route("/{how}")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            transport, protocol = await loop.create_connection(Ends, *server.getsockname())
            peer, _ = server.accept()
            if req.params["how"] == "write":
                # The peer answers with a reset to what comes after its end, and the write after that fails.
                transport.pause_reading()
                peer.close()
                while not protocol.ended.done():
                    transport.write(b"x")
                    await asyncio.sleep(0)
            else:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
            error = await asyncio.wait_for(protocol.ended, 10)
            assert isinstance(error, OSError)
            assert error.errno is not None
            same = str(error) == str(OSError(error.errno, os.strerror(error.errno)))
            return {"kind": type(error).__name__, "same": same}

    with TestClient(app, workers=1) as client:
        assert client.get("/read").json() == {"kind": "ConnectionResetError", "same": True}
        written = client.get("/write").json()
        assert written["kind"] in {"BrokenPipeError", "ConnectionResetError"}
        assert written["same"]


def test_tls_connections_of_asyncio_carry_what_they_should(tmp_path: Path) -> None:
    app = Slime(__file__)
    certificate, key = self_signed(tmp_path)
    size = 1024 * 1024

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server_side.load_cert_chain(certificate, key)
        client_side = ssl.create_default_context(cafile=str(certificate))
        client_side.check_hostname = False

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_side) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=client_side)
            sent = os.urandom(size)
            writer.write(sent)
            came = await asyncio.wait_for(reader.readexactly(size), 60)
            writer.close()
            await writer.wait_closed()
        return {"same": came == sent}

    with TestClient(app, workers=1) as client:
        assert client.get("/").json() == {"same": True}


def test_files_that_are_always_ready_keep_nobody_waiting() -> None:
    app = Slime(__file__)
    files: list[socket.socket] = []

    @app.route("/begin")
    async def begin(req: SlimeRequest, resp: SlimeResponse) -> str:
        loop = asyncio.get_running_loop()
        files.extend(socket.socketpair())
        files[1].send(b"never read")
        loop.add_reader(files[0], lambda: None)
        return "begun"

    @app.route("/end")
    async def end(req: SlimeRequest, resp: SlimeResponse) -> str:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.001)
        for file in files:
            loop.remove_reader(file)
            file.close()
        return "ended"

    with TestClient(app, workers=1) as client:
        assert client.get("/begin").text == "begun"
        assert client.get("/end").text == "ended"
