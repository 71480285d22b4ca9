"""Streams, as the contract wants any kind of route to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from slimeweb import SlimeRequest
from slimeweb.testing import TestResponse
from slimeweb.testing.contracts import RouteKindContract
from slimeweb_stream import AsyncStreamResponse, StreamResponse
from slimeweb_stream.plugin import StreamPlugin


class TestStreams(RouteKindContract):
    options: ClassVar = {"stream": "text/plain"}

    def plugin(self) -> object:
        return StreamPlugin()

    def handler(self) -> Callable[..., None]:
        def handler(req: SlimeRequest, resp: StreamResponse) -> None:
            resp.start_stream()
            resp.send("one, ")
            resp.send("two")

        return handler

    def async_handler(self) -> Callable[..., object]:
        async def handler(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
            resp.start_stream()
            await resp.send("one, ")
            await resp.send("two")

        return handler

    def check(self, answer: TestResponse) -> None:
        assert answer.text == "one, two"
        assert answer.headers["content-type"].startswith("text/plain")
