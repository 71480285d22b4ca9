"""Errors of objects that belong to another event loop say what to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient

ADVICE = "belongs to another event loop: each worker has one. Make it with @app.resource()."


class InterfaceError(Exception):
    """What a driver raises that is used by two loops at once."""


class Pool:
    """A driver's pool, as they are made: for the loop that there was."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.future = loop.create_future()

    async def fetch(self) -> None:
        await self.future

    async def busy(self) -> None:
        raise InterfaceError("cannot perform operation: another operation is in progress")

    async def wrapped(self) -> None:
        try:
            await self.fetch()
        except RuntimeError as error:
            raise InterfaceError("the query failed") from error


class Service:
    """An object of the application, which has a pool."""

    def __init__(self) -> None:
        self.pool: Pool

    async def ask(self) -> None:
        await self.pool.fetch()


pool: Any = None
service = Service()


@pytest.fixture(autouse=True)
def other_loop() -> Iterator[asyncio.AbstractEventLoop]:
    global pool
    loop = asyncio.new_event_loop()
    pool = service.pool = Pool(loop)
    yield loop
    pool = None
    loop.close()


async def fetch() -> None:
    await pool.fetch()


async def busy() -> None:
    await pool.busy()


async def wrapped() -> None:
    await pool.wrapped()


async def of_service() -> None:
    await service.ask()


@pytest.mark.parametrize(
    ("work", "named"),
    [
        (fetch, "`pool` ("),
        (busy, "`pool` ("),
        (wrapped, "`pool` ("),
        (of_service, "`service` ("),
    ],
    ids=["message of asyncio", "message of a driver", "cause", "held by another object"],
)
def test_an_error_about_another_loop_names_the_object(work: Any, named: str, caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__, installed=False)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> None:
        await work()

    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert ADVICE in caplog.text
    assert named in caplog.text
    assert f"in {__file__}:" in caplog.text


def test_a_lock_that_two_workers_share_is_named(
    other_loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    app = Slime(__file__, installed=False)
    lock = asyncio.Lock()

    async def contend() -> None:
        # A lock is of the loop on which it was waited for first.
        async with lock:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(lock.acquire(), 0.001)

    other_loop.run_until_complete(contend())

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> None:
        await lock.acquire()
        async with lock:
            pass

    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert ADVICE in caplog.text
    assert "`lock` (asyncio.locks.Lock" in caplog.text


def test_work_beside_the_requests_is_noted_as_well(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__, installed=False)
    failed = threading.Event()

    @app.every(0.01)
    async def clean() -> None:
        try:
            await fetch()
        finally:
            failed.set()

    with TestClient(app):
        assert failed.wait(10)
    assert ADVICE in caplog.text


@pytest.mark.parametrize(
    "error", [RuntimeError("another"), InterfaceError("another operation is in progress")], ids=["other", "own loop"]
)
def test_other_errors_have_no_note(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__, installed=False)

    @app.route("/")
    async def home(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise error

    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert "unhandled error" in caplog.text
    assert ADVICE not in caplog.text
