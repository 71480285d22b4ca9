"""What a failed request has held is free without the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from slimeweb import RouteSpec, Slime, SlimeRequest, SlimeResponse, hookimpl
from support.condition import eventually
from support.versions import VERSIONS, served

OnHead = Callable[[SlimeRequest, SlimeResponse], None]


class Failure(Exception):
    """Told from others."""


@pytest.fixture(autouse=True)
def no_collector(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    # Records keep the exceptions they are about.
    caplog.set_level(logging.CRITICAL + 1, "slimeweb")
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", ["/plain", "/async", "/pieces", "/async-pieces", "/head"])
def test_an_exception_is_released_with_its_request(path: str, version: str, tmp_path: Path) -> None:
    raised: list[weakref.ref[Failure]] = []

    def failure() -> Failure:
        made = Failure()
        raised.append(weakref.ref(made))
        return made

    class Heads:
        name = "heads"

        @hookimpl
        def slime_response_head(self, route: RouteSpec | None) -> OnHead | None:
            def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
                raise failure()

            return fail if route is not None and route.path == "/head" else None

    app = Slime(__file__, plugins=[Heads()])

    @app.route("/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        raise failure()

    @app.route("/async")
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        await asyncio.sleep(0)
        raise failure()

    @app.route("/pieces")
    def pieces(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        def generate() -> Iterator[bytes]:
            raise failure()
            yield b""

        return resp.stream(generate())

    @app.route("/async-pieces")
    async def async_pieces(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        async def generate() -> AsyncIterator[bytes]:
            await asyncio.sleep(0)
            raise failure()
            yield b""

        return resp.stream(generate())

    @app.route("/head")
    def head(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("never seen")

    with served(app, version, tmp_path) as ask:
        assert ask("GET", path).status == 500
        assert len(raised) == 1
        eventually(lambda: raised[0]() is None, what="the exception is released")
