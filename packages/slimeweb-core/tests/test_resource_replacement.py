"""Resources with other values in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse, hookimpl, resource
from slimeweb.errors import ConfigError
from slimeweb.testing import AsyncTestClient, TestClient


@pytest.fixture
def app() -> Slime:
    app = Slime(__file__, installed=False)

    @app.resource()
    def db() -> str:
        raise AssertionError("the database of production")

    @app.resource(scope="request")
    def session(db: str) -> Iterator[str]:
        yield f"a session of {db}"

    @app.route("/", resources=[session])
    async def show(req: SlimeRequest, resp: SlimeResponse) -> str:
        return f"{req.resources.session}, {req.resources[db]}"

    return app


def function(app: Slime, name: str) -> Callable[..., Any]:
    return app.resources[name].function


@pytest.mark.parametrize("by_function", [False, True], ids=["name", "function"])
def test_a_value_takes_the_place_of_a_resource_as_it_is(app: Slime, by_function: bool) -> None:
    key = function(app, "db") if by_function else "db"
    with TestClient(app, resources={key: "the fake"}) as client:
        assert client.get("/").text == "a session of the fake, the fake"


def test_a_value_that_can_be_called_is_not_called(app: Slime) -> None:
    def fake() -> None: ...

    app.route("/fake")(lambda req, resp: str(req.resources.db is fake))
    with TestClient(app, resources={"db": fake}) as client:
        assert client.get("/fake").text == "True"


@pytest.mark.parametrize("given", [{}, {"scope": "request"}], ids=["worker", "request"])
def test_a_factory_makes_what_lives_as_long_as_the_one_whose_place_it_takes(app: Slime, given: Any) -> None:
    events: list[str] = []

    def fake(db: str, req: SlimeRequest) -> Iterator[str]:
        events.append("made")
        yield f"{db} {req.path}"
        events.append("ended")

    with TestClient(app, resources={"db": "fake", "session": resource(fake, **given)}) as client:
        assert events == []
        assert client.get("/").text == "fake /, fake"
        client.get("/")
    assert events == ["made", "ended"] * 2


def test_a_factory_of_another_scope_is_an_error_that_names_both(app: Slime) -> None:
    def fake() -> None: ...

    with pytest.raises(ConfigError, match=r"'fake' .*scope='request' .* the worker resource 'db' .* leave out scope="):
        TestClient(app, resources={"db": resource(fake, scope="request")}).__enter__()


def test_an_unknown_name_is_an_error_that_says_what_there_is(app: Slime) -> None:
    with pytest.raises(ConfigError, match="asks for the resource 'bd', which there is not: there are db, session"):
        TestClient(app, resources={"bd": 1}).__enter__()
    with pytest.raises(ConfigError, match=r"test_an_unknown_name.*there is not: declare it with @app\.resource"):
        TestClient(app, resources={test_an_unknown_name_is_an_error_that_says_what_there_is: 1}).__enter__()


def test_a_resource_given_by_name_and_by_function_is_an_error(app: Slime) -> None:
    with pytest.raises(ConfigError, match="gives the resource 'db' twice"):
        TestClient(app, resources={"db": 1, function(app, "db"): 2}).__enter__()


def test_what_is_no_mapping_is_an_error(app: Slime) -> None:
    resources: Any = ["db"]
    with pytest.raises(TypeError, match="give a mapping"):
        TestClient(app, resources=resources)


def test_replaced_ones_are_the_applications_own_again_afterwards(app: Slime) -> None:
    with TestClient(app, resources={"db": 1}):
        pass
    with pytest.raises(Exception, match="the database of production"):
        TestClient(app).__enter__()


def test_a_plugins_resource_is_replaced_also_where_it_is_listed_as_it_was() -> None:
    def tenant(req: SlimeRequest) -> str:
        return "real"

    declared = resource(tenant, scope="request")

    class Tenants:
        @hookimpl
        def slime_resources(self, app: Slime) -> list[Any]:
            return [declared]

    app = Slime(__file__, plugins=[Tenants()], installed=False)
    app.route("/", resources=[declared])(lambda req, resp: f"{req.resources.tenant} {req.resources[tenant]}")
    with TestClient(app, resources={"tenant": "fake"}) as client:
        assert client.get("/").text == "fake fake"


def test_the_client_for_coroutines_takes_them_too(app: Slime) -> None:
    async def ask() -> str:
        async with AsyncTestClient(app, resources={"db": "fake"}) as client:
            return (await client.get("/")).text

    assert asyncio.run(ask()) == "a session of fake, fake"
