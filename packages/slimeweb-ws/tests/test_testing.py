"""`client.websocket` says what came over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slimeweb import HttpError, Slime
from slimeweb.testing import TestClient
from slimeweb_ws.testing import TestWebSocket, WebSocketClosed, WebSocketRefused, websocket


@pytest.fixture
def client(app: Slime) -> Iterator[TestClient]:
    @app.websocket("/echo", subprotocols=["chat"])
    def echo(req: Any, resp: Any) -> None:
        resp.on_message(resp.send)

    @app.websocket("/loop")
    async def loop(req: Any, resp: Any) -> None:
        await resp.accept()
        await resp.send(req.header.get("x-name", "hello"))
        async for message in resp:
            await resp.send(message)

    @app.websocket("/leave")
    def leave(req: Any, resp: Any) -> None:
        resp.on_message(lambda message: resp.close(4001, "enough"))

    @app.websocket("/refused")
    def refused(req: Any, resp: Any) -> None:
        raise HttpError(403, "not you")

    with TestClient(app) as client:
        yield client


def test_messages_of_every_kind_and_size_come_back(client: TestClient) -> None:
    with client.websocket("/echo") as ws:
        for message in ("", "grüezi", b"\0\xff", "a" * 200, b"b" * 100_000):
            ws.send(message)
            assert ws.receive() == message
        ws.send_json({"a": [1]})
        assert ws.receive_json() == {"a": [1]}
        assert ws.close_code is None
    assert ws.close_code == 1000


def test_a_coroutine_that_loops_ends_with_the_connection(client: TestClient) -> None:
    with client.websocket("/loop", headers={"X-Name": "Ada"}) as ws:
        assert ws.receive() == "Ada"
        ws.send("again")
        assert ws.receive() == "again"
        ws.close(4000, "done")
        assert ws.close_code == 4000


def test_the_close_of_the_server_ends_a_loop_and_is_raised(client: TestClient) -> None:
    with client.websocket("/leave") as ws:
        ws.send("hello")
        assert list(ws) == []
        assert (ws.close_code, ws.close_reason) == (4001, "enough")
        with pytest.raises(WebSocketClosed, match="4001: enough"):
            ws.receive()
        with pytest.raises(WebSocketClosed):
            ws.send("more")


def test_a_time_out_loses_nothing(client: TestClient) -> None:
    with client.websocket("/echo") as ws:
        with pytest.raises(TimeoutError):
            ws.receive(timeout=0.01)
        ws.send("hello")
        assert ws.receive() == "hello"


def test_a_refused_handshake_gives_the_response(client: TestClient) -> None:
    with pytest.raises(WebSocketRefused, match="403: not you") as refused:
        client.websocket("/refused")
    assert refused.value.response.status_code == 403
    with pytest.raises(WebSocketRefused) as refused:
        client.websocket("/nowhere")
    assert refused.value.response.status_code == 404


def test_a_subprotocol_is_agreed_upon(client: TestClient) -> None:
    ws: TestWebSocket
    with websocket(client, "/echo", subprotocols=["other", "chat"]) as ws:
        assert ws.subprotocol == "chat"
    with websocket(client, "/echo", subprotocols=["other"]) as ws:
        assert ws.subprotocol is None


def test_what_cannot_be_sent_is_refused(client: TestClient) -> None:
    with client.websocket("/echo") as ws:
        with pytest.raises(TypeError, match="str or bytes"):
            ws.send(5)
        with pytest.raises(ValueError, match="must not be sent"):
            ws.close(1005)
        ws.send("still open")
        assert ws.receive() == "still open"


def test_one_that_is_left_open_does_not_hold_up_the_end(client: TestClient) -> None:
    client.websocket("/echo")
