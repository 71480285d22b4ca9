"""Clients that read slowly, senders in many threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import types
import zlib
from contextlib import suppress

import pytest

from slimeweb import ClientDisconnected
from slimeweb_ws import SendQueueFull

CHUNK = b"x" * 100_000
COUNT = 200
"""Together more than the kernel's buffers hold: the client's is set in conftest.py, the server's is at most 4 MiB."""


def flood_with(resp):
    for _ in range(COUNT):
        resp.send(CHUNK)


async def flood_and_wait(resp):
    for _ in range(COUNT):
        await resp.send(CHUNK)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_thread_waits_for_a_slow_client(app, serve, blocking):
    sent = threading.Event()

    @app.websocket(path="/", send_buffer=200_000, blocking=blocking)
    def flood(req, resp):
        def start():
            for _ in range(COUNT):
                resp.send(CHUNK)
                assert resp.buffered <= 300_000
            sent.set()

        resp.on_open(start)

    client = serve(app).connect()
    assert not sent.wait(0.3)
    for _ in range(COUNT):
        assert len(client.message()) == len(CHUNK)
    assert sent.wait(10)


def test_a_coroutine_that_awaits_waits(app, serve):
    sent = threading.Event()

    @app.websocket(path="/", send_buffer=200_000)
    async def flood(req, resp):
        async def start():
            for _ in range(COUNT):
                await resp.send(CHUNK)
                assert resp.buffered <= 300_000
            sent.set()

        resp.on_open(start)

    @app.route(path="/ping")
    async def ping(req, resp):
        return "pong"

    served = serve(app)
    client = served.connect()
    assert not sent.wait(0.3)
    assert served.http.get("/ping").text == "pong"
    for _ in range(COUNT):
        assert len(client.message()) == len(CHUNK)
    assert sent.wait(10)


def test_a_coroutine_that_does_not_await_is_told_to(app, serve):
    failed = threading.Event()

    @app.websocket(path="/", send_buffer=200_000)
    async def flood(req, resp):
        async def start():
            with pytest.raises(SendQueueFull, match="await"):
                flood_with(resp)
            failed.set()

        resp.on_open(start)

    serve(app).connect()
    assert failed.wait(10)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("blocking", [True, False])
def test_waiting_ends_when_the_client_leaves(app, serve, is_async, blocking):
    ended = threading.Event()

    @app.websocket(path="/", send_buffer=200_000, blocking=blocking)
    def flood(req, resp):
        def start():
            with pytest.raises(ClientDisconnected):
                flood_with(resp)
            ended.set()

        async def async_start():
            with pytest.raises(ClientDisconnected):
                await flood_and_wait(resp)
            ended.set()

        resp.on_open(async_start if is_async else start)

    client = serve(app).connect()
    client.message()
    assert not ended.wait(0.1)
    client.abort()
    assert ended.wait(10)


def test_fast_callbacks_run_on_the_worker_and_one_that_waits_there_holds_nobody_up(app, serve):
    threads: list[int] = []
    sent = threading.Event()

    @app.websocket(path="/", send_buffer=200_000)
    def route(req, resp):
        def on_message(message):
            if message == "flood":
                flood_with(resp)
                sent.set()
            else:
                threads.append(threading.get_ident())
                resp.send(message)

        resp.on_message(on_message)

    @app.route(path="/loop")
    async def loop(req, resp):
        return {"thread": threading.get_ident()}

    def echo(client):
        client.send("hello")
        assert client.message() == "hello"

    served = serve(app, workers=1)
    slow, other = served.connect(), served.connect()
    worker = served.http.get("/loop").json()["thread"]
    for _ in range(1000):
        echo(other)
    assert threads[-1] == worker, "not once has it been seen to be slow"
    for _ in range(3):
        slow.send("flood")
        for _ in range(20):
            echo(other)
            assert served.http.get("/loop").status_code == 200
        assert not sent.is_set()
        for _ in range(COUNT):
            assert len(slow.message()) == len(CHUNK)
        assert sent.wait(10)
        sent.clear()
    echo(other)
    echo(slow)


def test_more_than_fits_before_the_opening(app, serve):
    @app.websocket(path="/", send_buffer=200_000)
    def flood(req, resp):
        with pytest.raises(SendQueueFull, match="on_open"):
            flood_with(resp)
        resp.on_open(lambda: resp.send("end"))

    client = serve(app).connect()
    assert [len(client.message()) for _ in range(3)] == [len(CHUNK), len(CHUNK), 3]


def test_messages_of_many_threads_stay_whole_and_in_each_threads_order(app, serve):
    threads, each = 8, 200

    @app.websocket(path="/", context_takeover=True, deflate_threshold=0)
    def route(req, resp):
        def speak(name):
            for number in range(each):
                resp.send(f"{name} {number} " + "x" * (number % 50))

        resp.on_open(lambda: [threading.Thread(target=speak, args=(name,)).start() for name in range(threads)])

    served = serve(app)
    for extension in ({}, {"Sec_WebSocket_Extensions": "permessage-deflate"}):
        client = served.connect(**extension)
        inflate = zlib.decompressobj(wbits=-15)
        seen: dict[int, list[int]] = {name: [] for name in range(threads)}
        for _ in range(threads * each):
            received = client.read()
            body = received.payload
            if received.rsv:
                body = inflate.decompress(body + b"\x00\x00\xff\xff")
            name, number, *_ = body.decode().split(" ")
            seen[int(name)].append(int(number))
        assert seen == {name: list(range(each)) for name in range(threads)}


def test_a_client_that_pings_and_never_reads_does_not_fill_the_memory(app, serve, make_frame):
    responses = []

    @app.websocket(path="/")
    async def route(req, resp):
        responses.append(resp)
        await asyncio.sleep(0)

    client = serve(app).connect()
    client.socket.settimeout(1)
    pings = make_frame(9, bytes(125)) * 1000
    try:
        for _ in range(100):
            client.raw(pings)
    except TimeoutError:
        pass
    assert responses[0].buffered <= 125 + 10


def test_threads_that_wait_for_slow_clients_leave_the_pool_to_others(app, serve, until):
    waiting = []

    @app.websocket(path="/", send_buffer=200_000, blocking=True)
    def flood(req, resp):
        def start():
            waiting.append(resp)
            flood_with(resp)

        resp.on_open(start)

    @app.route(path="/ok", blocking=True)
    def ok(req, resp):
        return "ok"

    served = serve(app, workers=1, pool_threads=2, worker_queue_size=1)
    for count in range(1, 9):
        served.connect()
        until(lambda count=count: len(waiting) == count and waiting[-1].buffered >= 200_000)
        assert served.http.get("/ok").text == "ok"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_client_that_never_reads_is_cut_after_the_send_timeout_though_it_sends(app, serve, until, is_async):
    closes = []

    @app.websocket(path="/", blocking=True)
    def echo(req, resp):
        async def answer(message):
            await resp.send(message)

        resp.on_message(answer if is_async else resp.send)
        resp.on_close(lambda: closes.append(resp.close_code))

    client = serve(app, send_timeout=0.5).connect()
    client.socket.settimeout(0.1)
    with suppress(ConnectionError):
        while not closes:
            with suppress(TimeoutError):
                client.send(CHUNK)
    until(lambda: closes)
    assert closes == [1006]


def test_a_wait_that_is_given_up_leaves_nothing_behind(app, serve, until):
    waits = []

    @app.websocket(path="/", send_buffer=200_000)
    def flood(req, resp):
        async def start():
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(flood_and_wait(resp), 0.5)
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(resp.drain(), 0.01)
                waits.append(sum(isinstance(seen, types.FunctionType) for seen in gc.get_referents(resp._connection)))

        resp.on_open(start)

    serve(app).connect()
    until(lambda: len(waits) == 5)
    assert waits == [0] * 5
