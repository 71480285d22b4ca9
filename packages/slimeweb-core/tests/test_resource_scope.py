"""`app.scope()`: resources where there is no request."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse, hookimpl, resource
from slimeweb.errors import ConfigError
from slimeweb.testing import TestClient

Log = list[str]


@pytest.fixture
def events() -> Log:
    return []


@pytest.fixture
def app(events: Log) -> Slime:
    """One resource of each scope, generators, each of which takes the one before."""
    app = Slime(__file__, installed=False)

    def noted(name: str) -> Iterator[str]:
        events.append(f"+{name}")
        try:
            yield name
        except BaseException as error:
            events.append(f"-{name} {type(error).__name__}")
            raise
        events.append(f"-{name}")

    @app.resource(scope="app")
    def process() -> Iterator[str]:
        yield from noted("process")

    @app.resource()
    def worker(process: str) -> Iterator[str]:
        yield from noted("worker")

    @app.resource(scope="request")
    def session(worker: str) -> Iterator[str]:
        yield from noted("session")

    @app.resource(scope="request")
    async def later(session: str) -> AsyncIterator[str]:
        events.append("+later")
        await asyncio.sleep(0)
        yield f"later than {session}"
        await asyncio.sleep(0)
        events.append("-later")

    return app


MADE = ["+process", "+worker", "+session"]
ENDED = ["-session", "-worker", "-process"]


def test_a_script_has_all_scopes_made_and_ended(app: Slime, events: Log) -> None:
    with app.scope() as resources:
        assert events == []
        assert resources.get("session") == "session"
        assert (resources.worker, resources["process"]) == ("worker", "process")
        assert events == MADE
        resources.get("session")
        assert events == MADE
    assert events == MADE + ENDED


def test_an_asynchronous_script_has_all_kinds(app: Slime, events: Log) -> None:
    async def main() -> None:
        async with app.scope() as resources:
            assert await resources.get("later") == "later than session"

    asyncio.run(main())
    assert events == [*MADE, "+later", "-later", *ENDED]


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])
def test_what_the_block_raises_is_raised_at_each_yield(app: Slime, events: Log, is_async: bool) -> None:
    error = OSError("stop")

    def plain() -> None:
        with app.scope() as resources:
            resources.get("session")
            raise error

    async def coroutine() -> None:
        async with app.scope() as resources:
            await resources.get("session")
            raise error

    with pytest.raises(OSError, match="stop") as caught:
        asyncio.run(coroutine()) if is_async else plain()
    assert caught.value is error
    assert events == [*MADE, *(f"{each} OSError" for each in ENDED)]


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])
def test_an_end_that_raises_takes_the_place_of_what_the_block_raised(is_async: bool) -> None:
    app = Slime(__file__, installed=False)

    @app.resource(scope="request")
    def swallows() -> Iterator[None]:
        with contextlib.suppress(OSError):
            yield

    @app.resource(scope="request")
    def fails() -> Iterator[None]:
        try:
            yield
        finally:
            raise KeyError("rollback")

    def plain(name: str) -> None:
        with app.scope() as resources:
            resources.get(name)
            raise OSError

    async def coroutine(name: str) -> None:
        async with app.scope() as resources:
            await resources.get(name)
            raise OSError

    def run(name: str) -> None:
        asyncio.run(coroutine(name)) if is_async else plain(name)

    with pytest.raises(KeyError, match="rollback"):
        run("fails")
    with pytest.raises(OSError):
        run("swallows")


def test_a_served_application_has_its_worker_and_only_the_block_s_own_end(app: Slime, events: Log) -> None:
    @app.resource(scope="worker")
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    @app.route("/")
    async def show(req: SlimeRequest, resp: SlimeResponse) -> str:
        async with app.scope() as resources:
            assert resources.loop is asyncio.get_running_loop()
            assert resources.worker == "worker"
            assert await resources.get("later") == "later than session"
        return "done"

    with TestClient(app, workers=2) as client:
        assert events == ["+process", "+worker", "+worker"]
        events.clear()
        # Two connections, so that both workers may have one.
        assert client.get("/").text == "done"
        assert events == ["+session", "+later", "-later", "-session"]


def test_a_task_beside_the_requests_makes_its_own(app: Slime, events: Log) -> None:
    done = threading.Event()

    async def work() -> None:
        async with app.scope() as resources:
            events.append(await resources.get("session"))
        done.set()

    @app.route("/")
    async def begin(req: SlimeRequest, resp: SlimeResponse) -> str:
        app.spawn(work())
        return "begun"

    with TestClient(app) as client:
        events.clear()
        assert client.get("/").text == "begun"
        assert done.wait(10)
        assert events == ["+session", "session", "-session"]


def test_a_thread_of_a_served_application_uses_the_first_worker_s(app: Slime, events: Log) -> None:
    with TestClient(app):
        events.clear()
        with app.scope() as resources:
            assert resources.worker == "worker"
            assert resources.get("session") == "session"
    assert events[:2] == ["+session", "-session"]


def test_another_event_loop_beside_a_served_application_makes_its_own_of_a_worker(app: Slime, events: Log) -> None:
    async def main() -> None:
        async with app.scope() as resources:
            assert resources.process == "process"
            await resources.get("session")

    with TestClient(app):
        events.clear()
        asyncio.run(main())
        assert events == ["+worker", "+session", "-session", "-worker"]


def test_the_values_of_a_test_are_used(app: Slime) -> None:
    with TestClient(app, resources={"session": "fake"}), app.scope() as resources:
        assert resources.get("session") == "fake"


def test_tasks_that_ask_at_once_get_the_same(app: Slime, events: Log) -> None:
    async def main() -> None:
        async with app.scope() as resources:
            first, second = await asyncio.gather(resources.get("later"), resources.get("later"))
            assert first is second

    asyncio.run(main())
    assert events.count("+later") == 1


def test_a_function_is_a_key(app: Slime) -> None:
    with app.scope() as resources:
        assert resources.get(app.resources["session"].function) == "session"


def test_early_ends_are_ends(app: Slime, events: Log) -> None:
    with app.scope() as resources:
        resources.get("session")
        resources.end()
        assert events == MADE + ENDED
        with pytest.raises(RuntimeError, match="has ended"):
            resources.get("session")
    assert events == MADE + ENDED


def test_nothing_can_be_had_after_the_end(app: Slime) -> None:
    with app.scope() as resources:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        resources.get("session")


def test_a_scope_is_for_one_block(app: Slime) -> None:
    scope = app.scope()
    with scope:
        pass
    with pytest.raises(RuntimeError, match="for one block"):
        scope.__enter__()


def test_an_asynchronous_one_is_not_made_by_a_plain_block(app: Slime, events: Log) -> None:
    with app.scope() as resources:
        with pytest.raises(ConfigError, match=r"'later' .*write `async with app\.scope\(\)`"):
            resources.get("later")
        assert events == []


def test_one_that_takes_the_request_is_not_made(app: Slime) -> None:
    app.resource(scope="request", name="user")(lambda req: req.path)
    with app.scope() as resources, pytest.raises(ConfigError, match=r"cannot make 'user' .* it takes 'req'"):
        resources.get("user")


def test_an_unknown_one_is_an_error_that_says_what_there_is(app: Slime) -> None:
    with app.scope() as resources, pytest.raises(ConfigError, match="'sesion', which there is not: did you mean"):
        resources.get("sesion")


def test_access_does_not_make(app: Slime) -> None:
    with app.scope() as resources, pytest.raises(AttributeError, match=r"resources\.get\('session'\) makes it"):
        resources.session  # noqa: B018


def test_there_is_none_before_the_resources_of_a_server_are_there(app: Slime) -> None:
    messages: Log = []

    @app.resource()
    def early() -> None:
        with pytest.raises(ConfigError, match=r"from app\.start on") as caught:
            app.scope().__enter__()
        messages.append(str(caught.value))

    app.start()(lambda: messages.append(app.scope().__enter__().worker))
    with TestClient(app, workers=1):
        pass
    assert len(messages) == 2
    assert messages[1] == "worker"


def test_those_of_plugins_are_made_in_a_script() -> None:
    class Tenants:
        @hookimpl
        def slime_resources(self, app: Slime) -> list[Any]:
            return [resource(lambda: "a tenant", name="tenant")]

    app = Slime(__file__, plugins=[Tenants()], installed=False)
    with app.scope() as resources:
        assert resources.get("tenant") == "a tenant"
