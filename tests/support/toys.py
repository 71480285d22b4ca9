"""Plugins small enough to be read at a glance, and what the tests of the contract need around them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from slimeweb import RouteKind, RouteOption, RouteSpec, Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.testing import TestClient
from support.wire import Wire

__all__ = ["app_with", "both", "hesitant", "kind", "raw", "read_until", "switched", "toy", "written"]


def toy(name: str, **hooks: Callable[..., Any]) -> object:
    """A plugin called `name` that implements hooks with these functions."""
    return type(name, (), {hook: staticmethod(hookimpl(function)) for hook, function in hooks.items()})()


def app_with(*plugins: object) -> Slime:
    """An application with these plugins."""
    return Slime(__file__, plugins=plugins)


def kind(name: str, wrap: Callable[..., Any], **hooks: Callable[..., Any]) -> object:
    """A plugin with one kind of route, which routes ask for by an option of that name."""
    return toy(
        name.capitalize(),
        slime_route_options=lambda: [RouteOption(name, default=False, validate=bool)],
        slime_route_kind=lambda route: RouteKind(name, wrap) if route.options[name] else None,
        **hooks,
    )


def raw(client: TestClient, timeout: float = 15.0) -> Wire:
    """A connection to the client's server, at the level of bytes."""
    return Wire.tcp("127.0.0.1", client.port, timeout=timeout)


def switched(client: TestClient, target: str = "/", headers: Mapping[str, str] | None = None) -> Wire:
    """A connection on which the server has switched to `toy/1`."""
    wire = raw(client)
    wire.request("GET", target, headers={"Connection": "Upgrade", "Upgrade": "toy/1", **(headers or {})})
    answer = wire.answer()
    assert answer.status == 101, answer
    assert answer.header("upgrade") == "toy/1"
    assert answer.header("connection").lower() == "upgrade"  # type: ignore[union-attr]
    return wire


def written(route: RouteSpec, handler: Any) -> Any:
    """Hands the handler a writer in place of the response."""

    def write(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_header("X-Kind", "written")
        handler(req, resp.writer())

    async def write_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_header("X-Kind", "written")
        await handler(req, resp.writer())

    return write_async if route.is_async else write


def hesitant(go_on: threading.Event) -> dict[str, Callable[..., Any]]:
    """Handlers that write one word, and the other once `go_on` is set."""

    def sync(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        writer.write(b"one")
        assert go_on.wait(10)
        writer.write(b"two")
        writer.close()

    async def coro(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        assert writer.try_write(b"one")
        assert await asyncio.to_thread(go_on.wait, 10)
        assert writer.try_write(b"two")
        writer.close()

    return {"sync": sync, "coro": coro}


def both(step: Callable[[Any], Any]) -> dict[str, Callable[..., Any]]:
    """A handler that does not wait, as a plain function and as a coroutine function."""

    def sync(req: SlimeRequest, writer: Any) -> None:
        step(writer)

    async def coro(req: SlimeRequest, writer: Any) -> None:
        step(writer)

    return {"sync": sync, "coro": coro}


def read_until(wire: Wire, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = wire.socket.recv(4096)
        assert piece, f"the server closed after {data!r}"
        data += piece
    return data
