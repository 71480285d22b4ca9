"""`AsyncTestClient` does what `TestClient` does, beside the caller's loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import AsyncTestClient


class Failure(Exception):
    pass


@pytest.fixture
def app() -> Slime:
    app = Slime(__file__)

    @app.route("/", method="*")
    def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        return {"method": req.method, "body": req.text, "language": req.header.get("accept-language")}

    @app.route("/numbers")
    def numbers(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.stream((f"{number}\n" for number in range(3)), content_type="text/plain")

    @app.route("/fails")
    def fails(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise Failure("here")

    return app


def run(check: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(check(), 30)

    asyncio.run(bounded())
    assert not [each for each in threading.enumerate() if each.name.startswith("slimeweb-test-client")]


def test_requests_are_awaited(app: Slime) -> None:
    async def check() -> None:
        async with AsyncTestClient(app, headers={"Accept-Language": "de"}) as client:
            assert (await client.get("/")).json() == {"method": "GET", "body": "", "language": "de"}
            for method in ("options", "post", "put", "patch", "delete"):
                assert (await getattr(client, method)("/", content="x")).json()["method"] == method.upper()
            assert (await client.head("/")).content == b""
            assert client.url == f"http://127.0.0.1:{client.port}"

    run(check)


def test_requests_at_once_have_a_connection_each_and_the_loop_goes_on(app: Slime) -> None:
    everyone = threading.Barrier(20)

    @app.route("/meet")
    def meet(req: SlimeRequest, resp: SlimeResponse) -> str:
        everyone.wait(20)
        return "met"

    async def check() -> None:
        async with AsyncTestClient(app) as client:
            answers = await asyncio.gather(*(client.get("/meet") for _ in range(20)))
            assert {answer.text for answer in answers} == {"met"}

    run(check)


def test_streams_are_read_as_they_come(app: Slime) -> None:
    async def check() -> None:
        async with AsyncTestClient(app) as client:
            async with client.stream("GET", "/numbers") as stream:
                assert stream.response.status_code == 200
                assert [line async for line in stream.lines()] == ["0", "1", "2"]
            async with client.stream("GET", "/numbers") as stream:
                assert await stream.read() == b"0\n1\n2\n"

    run(check)


def test_a_read_that_is_cancelled_loses_nothing(app: Slime) -> None:
    goes_on = threading.Event()

    @app.route("/slow")
    def slow(req: SlimeRequest, resp: SlimeResponse) -> Any:
        def pieces() -> Iterator[bytes]:
            yield b"early"
            assert goes_on.wait(20)
            yield b"late"

        return resp.stream(pieces(), content_type="text/plain")

    async def check() -> None:
        async with AsyncTestClient(app) as client, client.stream("GET", "/slow") as stream:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.read(), 0.05)
            goes_on.set()
            assert await stream.read() == b"earlylate"

    run(check)


def test_exceptions_of_the_application_are_raised_on_request(app: Slime) -> None:
    async def check() -> None:
        async with AsyncTestClient(app, raise_errors=True) as client:
            with pytest.raises(Failure, match="here"):
                await client.get("/fails")

    run(check)


def test_a_failing_start_is_raised(app: Slime) -> None:
    @app.start()
    def start() -> None:
        raise Failure("start")

    async def check() -> None:
        with pytest.raises(Failure, match="start"):
            async with AsyncTestClient(app):
                pass

    run(check)


def test_a_client_that_does_not_run_says_so(app: Slime) -> None:
    async def check() -> None:
        with pytest.raises(RuntimeError, match="async with AsyncTestClient"):
            await AsyncTestClient(app).get("/")

    run(check)
