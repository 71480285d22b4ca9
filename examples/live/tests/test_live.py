"""The dashboard and the chat, over real sockets and two workers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from typing import Any

import pytest
from feed import Feed
from main import app, readings

from slimeweb.testing import TestClient


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app, workers=2) as client:
        yield client


def readings_until(client: TestClient, wanted: Any) -> dict[str, Any]:
    """The first reading that meets a condition."""
    with client.events("/readings") as events:
        return next(reading for event in events if wanted(reading := event.json()))


def test_the_page_is_there(client: TestClient) -> None:
    assert "<title>Live</title>" in client.get("/").text


def test_readings_arrive_one_after_the_other_on_every_connection(client: TestClient) -> None:
    with ExitStack() as stack:
        # More connections than workers: each worker has some.
        streams = [stack.enter_context(client.events("/readings")) for _ in range(6)]
        for stream in streams:
            first, second = next(stream), next(stream)
            assert (first.event, second.event) == ("reading", "reading")
            assert first.json()["time"] < second.json()["time"]
    assert readings_until(client, lambda reading: len(readings) == 1), "who has left follows no more"


def test_what_one_says_everybody_reads_and_the_dashboard_counts(client: TestClient) -> None:
    before = readings_until(client, lambda reading: True)["messages"]
    with client.websocket("/chat?name=Ada") as ada:
        assert ada.receive_json(timeout=30) == {"kind": "arrived", "name": "Ada"}
        with client.websocket("/chat?name=Bob") as bob:
            for each in (ada, bob):
                assert each.receive_json(timeout=30) == {"kind": "arrived", "name": "Bob"}
            bob.send("hello")
            bob.send("  ")
            for each in (ada, bob):
                assert each.receive_json(timeout=30) == {"kind": "said", "name": "Bob", "text": "hello"}
            assert readings_until(client, lambda reading: reading["visitors"] == 2)["messages"] == before + 1
        assert ada.receive_json(timeout=30) == {"kind": "left", "name": "Bob"}


def test_a_guest_has_a_name_too(client: TestClient) -> None:
    with client.websocket("/chat") as guest:
        assert guest.receive_json(timeout=30)["name"].startswith("guest ")


def test_a_stop_ends_streams_and_the_chat() -> None:
    with ExitStack() as stack, TestClient(app, workers=2) as client:
        stream = stack.enter_context(client.events("/readings"))
        next(stream)
        chat = stack.enter_context(client.websocket("/chat"))
        chat.receive_json(timeout=30)
        stopper = threading.Thread(target=app.shutdown)
        stopper.start()
        assert list(stream) is not None, "it has an end"
        for _ in chat:
            pass
        assert chat.close_code == 1001
        stopper.join(30)


def test_a_feed_leaves_out_the_oldest_for_who_is_slow() -> None:
    async def follow() -> list[int]:
        feed: Feed[int] = Feed(backlog=3)
        async with aclosing(feed.follow()) as followed:
            first = asyncio.ensure_future(anext(followed))
            while not len(feed):
                await asyncio.sleep(0)
            for number in range(10):
                feed.publish(number)
            seen = [await first]
            return [*seen, await anext(followed), await anext(followed)]

    assert asyncio.run(follow()) == [7, 8, 9]
