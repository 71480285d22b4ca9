"""Rooms."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import zlib

import pytest


@pytest.fixture
def chat(app, serve):
    @app.websocket(path="/room/{name}", send_buffer=100_000)
    def enter(req, resp):
        room = app.room(req.params["name"])
        room.join(resp)

        def said(message):
            if message == "leave":
                room.leave(resp)
                resp.send("left")
            elif message == "others":
                room.broadcast(message, exclude=resp)
            else:
                room.broadcast(message)

        resp.on_open(lambda: resp.send(f"{len(room)} here"))
        resp.on_message(said)

    return serve(app)


def test_broadcast_join_and_leave(app, chat, until):
    room = app.room("a")
    assert len(room) == 0
    assert room.broadcast("nobody hears") == 0
    clients = []
    for number in range(3):
        clients.append(chat.connect("/room/a"))
        assert clients[-1].message() == f"{number + 1} here"
    elsewhere = chat.connect("/room/b")
    assert elsewhere.message() == "1 here"
    clients[0].send("to all")
    assert [client.message() for client in clients] == ["to all"] * 3
    clients[0].send("others")
    clients[0].send("again")
    assert [client.message() for client in clients] == ["again", "others", "others"]
    assert room.broadcast({"from": "outside"}) == 3
    assert clients[0].message() == '{"from":"outside"}'
    clients[1].send("leave")
    assert [clients[1].message() for _ in range(3)][-1] == "left"
    assert len(room) == 2
    clients[2].abort()
    until(lambda: len(room) == 1)
    assert room.broadcast(b"bytes") == 1
    assert clients[0].message() == b"bytes"
    elsewhere.send("only b")
    assert elsewhere.message() == "only b"


def test_compressed_once_for_those_who_can(app, chat):
    plain = chat.connect("/room/a")
    squeezed = [chat.connect("/room/a", Sec_WebSocket_Extensions="permessage-deflate") for _ in range(2)]
    for client in (plain, *squeezed):
        client.message()
    text = "again and " * 1000
    assert app.room("a").broadcast(text) == 3
    assert plain.message() == text
    first, second = (client.read() for client in squeezed)
    assert first == second
    assert first.rsv == 4
    assert zlib.decompressobj(wbits=-15).decompress(first.payload + b"\x00\x00\xff\xff").decode() == text


def test_the_name_is_the_room(app):
    room = app.room("x")
    assert room == app.room("x")
    assert hash(room) == hash(app.room("x"))
    assert room != app.room("y")
    assert room
    assert repr(room) == "<Room 'x': 0>"
    with pytest.raises(TypeError, match="7"):
        app.room(7)


def test_rooms_that_nobody_needs_are_forgotten(app, chat, until):
    rooms = app.room.__self__
    client = chat.connect("/room/short-lived")
    client.message()
    gc.collect()
    assert "short-lived" in rooms._rooms
    client.close()
    until(lambda: not gc.collect() and "short-lived" not in rooms._rooms)


def test_a_connection_that_never_opens_leaves(app, serve, until):
    @app.websocket(path="/refused")
    def refused(req, resp):
        app.room("a").join(resp)
        resp.on_message(lambda message: resp.send(message))
        return resp.plain("no", status=403)

    @app.websocket(path="/broken")
    async def broken(req, resp):
        app.room("a").join(resp)
        raise RuntimeError

    room = app.room("a")
    served = serve(app)
    assert served.connect("/refused").status == 403
    assert served.connect("/broken").status == 500
    assert len(room) == 0


FILLER = b"x" * 50_000


def test_drop_oldest_keeps_the_queue_bounded_and_the_newest(app, chat):
    slow, quick = chat.connect("/room/a"), chat.connect("/room/a")
    slow.message(), quick.message()
    room = app.room("a")
    counted = []

    def read() -> None:
        while (message := quick.message()) != "end":
            counted.append(len(message))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(400):
        assert room.broadcast(FILLER, queue_size=200_000) == 2
    room.broadcast("end", queue_size=200_000)
    received = 0
    while slow.message() != "end":
        received += 1
    assert received < 400
    reader.join()


def test_close_ends_a_slow_client(app, chat):
    slow, quick = chat.connect("/room/a"), chat.connect("/room/a")
    slow.message(), quick.message()
    room = app.room("a")
    counts = []
    while not counts or counts[-1] == 2:
        counts.append(room.broadcast(FILLER, policy="close", queue_size=1_000_000))
        assert len(quick.message()) == len(FILLER)
        assert len(counts) < 400
    while (frame := slow.read()).opcode != 8:
        pass
    assert (frame.close_code, frame.payload[2:]) == (1013, b"reads too slowly")
    assert room.broadcast("end") == 1
    assert quick.message() == "end"


def test_block_waits_for_a_slow_client(app, chat):
    slow = chat.connect("/room/a")
    slow.message()
    room = app.room("a")
    sent = threading.Event()

    def speak() -> None:
        for _ in range(400):
            assert room.broadcast(FILLER, policy="block", queue_size=200_000) == 1
        sent.set()

    threading.Thread(target=speak).start()
    assert not sent.wait(0.3)
    for _ in range(400):
        assert len(slow.message()) == len(FILLER)
    assert sent.wait(10)


def test_block_ends_with_the_client(app, chat):
    slow = chat.connect("/room/a")
    slow.message()
    room = app.room("a")
    speaker = threading.Thread(
        target=lambda: [room.broadcast(FILLER, policy="block", queue_size=200_000) for _ in range(400)]
    )
    speaker.start()
    slow.abort()
    speaker.join(10)
    assert not speaker.is_alive()


def test_block_on_a_loop_waits_without_stopping_it(app, serve):
    room = app.room("all")
    counts: queue.Queue[int] = queue.Queue()

    @app.websocket(path="/")
    async def route(req, resp):
        room.join(resp)

    @app.websocket(path="/speaker")
    async def speaker(req, resp):
        async def speak(message):
            for _ in range(400):
                counts.put(await room.broadcast(FILLER, policy="block", queue_size=200_000))
                assert resp.buffered <= 300_000
            await resp.send("done")

        resp.on_message(speak)

    @app.route(path="/ok")
    async def ok(req, resp):
        return "ok"

    served = serve(app, workers=1)
    slow, speaking = served.connect(), served.connect("/speaker")
    speaking.send("speak")
    assert counts.get(timeout=10) == 1
    speaking.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        speaking.message()
    assert served.http.get("/ok").text == "ok"
    speaking.socket.settimeout(30)
    for _ in range(400):
        assert len(slow.message()) == len(FILLER)
    assert speaking.message() == "done"
    assert [counts.get_nowait() for _ in range(399)] == [1] * 399


def test_block_on_a_loop_ends_with_the_client_and_when_it_is_given_up(app, serve, until):
    room = app.room("all")
    ends: queue.Queue[object] = queue.Queue()

    @app.websocket(path="/")
    async def route(req, resp):
        room.join(resp)

    @app.websocket(path="/speaker")
    async def speaker(req, resp):
        async def fill():
            while await room.broadcast(FILLER, policy="block", queue_size=200_000):
                pass

        async def speak(message):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(fill(), 0.5)
            ends.put("given up")
            await fill()
            ends.put("gone")

        resp.on_message(speak)

    served = serve(app)
    slow = served.connect()
    until(lambda: len(room) == 1)
    served.connect("/speaker").send("speak")
    assert ends.get(timeout=10) == "given up"
    assert ends.empty()
    slow.abort()
    assert ends.get(timeout=10) == "gone"


def test_a_broadcast_on_a_loop_may_be_awaited_with_every_policy(app, serve):
    @app.websocket(path="/")
    async def route(req, resp):
        room = app.room("a")
        room.join(resp)
        for policy in ("drop_oldest", "close", "block"):
            assert await room.broadcast(policy, policy=policy) == 1
            assert room.broadcast(policy, policy=policy, exclude=resp) == 0
        with pytest.raises(ValueError, match="drop_oldest"):
            room.broadcast("x", policy="shrug")
        resp.send({"clients": room.broadcast("last", policy="block")})

    client = serve(app).connect()
    assert [client.message() for _ in range(5)] == ["drop_oldest", "close", "block", "last", '{"clients":1}']


def test_close_all(app, chat):
    clients = [chat.connect("/room/a") for _ in range(3)]
    for client in clients:
        client.message()
    assert app.room("a").close(4000, "closing time") == 3
    assert [client.closed().close_code for client in clients] == [4000] * 3


def test_block_ends_when_the_client_takes_nothing_for_the_send_timeout(app, serve, until):
    room = app.room("all")

    @app.websocket(path="/")
    def route(req, resp):
        room.join(resp)

    serve(app, send_timeout=0.5).connect()
    until(lambda: len(room) == 1)
    while room.broadcast("x" * 1_000_000, policy="block", queue_size=1):
        pass
    until(lambda: len(room) == 0)
