"""A stream of JSON lines from a generator, by a plugin on `resp.stream`."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.http2 import Http2
from support.toys import raw, read_until

pytestmark = pytest.mark.usefixtures("installed")

PLUGIN = "slimeweb-ndjson"


@pytest.fixture
def ends() -> queue.SimpleQueue[str]:
    return queue.SimpleQueue()


@pytest.fixture
def app(ends: queue.SimpleQueue[str]) -> Slime:
    app = Slime(__file__)

    @app.ndjson("/plain")
    def rows(req: SlimeRequest) -> Iterator[Any]:
        try:
            for number in range(int(req.query.get("n", 3))):
                yield {"row": number}
        finally:
            ends.put("closed")

    @app.ndjson("/async")
    async def arows(req: SlimeRequest) -> AsyncIterator[Any]:
        try:
            for number in range(int(req.query.get("n", 3))):
                await asyncio.sleep(0)
                yield {"row": number}
        finally:
            ends.put("closed")

    return app


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_each_value_is_a_line(
    app: Slime, ends: queue.SimpleQueue[str], path: str, version: str, tmp_path: Path
) -> None:
    with TestClient(app, https=SlimeTls(*self_signed(tmp_path)) if version == "2" else None) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                answer = connection.ask("GET", path)
        else:
            with raw(client) as wire:
                wire.request("GET", path)
                answer = wire.answer()
    assert answer.header("content-type") == "application/x-ndjson"
    assert answer.text == '{"row":0}\n{"row":1}\n{"row":2}\n'
    assert ends.get(timeout=15) == "closed"


@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_a_client_that_leaves_closes_the_generator(app: Slime, ends: queue.SimpleQueue[str], path: str) -> None:
    with TestClient(app) as client:
        with raw(client) as wire:
            wire.request("GET", f"{path}?n=100000000")
            read_until(wire, b"\n\r\n")
        assert ends.get(timeout=15) == "closed"


@pytest.mark.parametrize("path", ["/plain", "/async"])
def test_a_failure_before_the_first_line_is_an_error(app: Slime, path: str) -> None:
    with TestClient(app) as client:
        assert client.get(f"{path}?n=many").status_code == 500
