"""Resources as parameters: by name, by their function, and without a name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from slimeweb import HttpError, Slime, SlimeRequest
from slimeweb.testing import TestClient
from slimeweb_typed import Depends, ParameterError, Query

if TYPE_CHECKING:
    from elsewhere import Pool  # type: ignore[import-not-found]


class Database:
    def __init__(self) -> None:
        self.opened = 0
        self.closed: list[str] = []


@pytest.fixture
def app() -> Slime:
    app = Slime(__file__)
    app.state["database"] = Database()

    @app.resource()
    def db(app: Slime) -> Database:
        found: Database = app.state["database"]
        return found

    @app.resource(scope="request")
    def session(db: Database) -> Iterator[int]:
        db.opened += 1
        try:
            yield db.opened
        except BaseException as error:
            db.closed.append(type(error).__name__)
            raise
        db.closed.append("end")

    return app


def test_a_resource_by_its_name_whose_type_is_for_checkers_alone(app: Slime) -> None:
    @app.route("/plain/{id}")
    def plain(id: int, db: Pool) -> str:
        return f"{id} {type(db).__name__}"

    @app.route("/coroutine/{id}")
    async def coroutine(id: int, db: Pool) -> str:
        return f"{id} {type(db).__name__}"

    with TestClient(app) as client:
        for kind in ("plain", "coroutine"):
            assert client.get(f"/{kind}/1").text == "1 Database"
            assert client.get(f"/{kind}/x").status_code == 422


def test_a_resource_that_is_declared_after_the_handler(app: Slime) -> None:
    @app.route("/")
    def show(later) -> str:  # type: ignore[no-untyped-def]
        return str(later)

    app.resource(name="later")(lambda: "later")
    with TestClient(app) as client:
        assert client.get("/").text == "later"


def test_a_resource_by_its_function(app: Slime) -> None:
    @app.resource()
    def number() -> int:
        return 7

    @app.route("/")
    def show(n: Annotated[int, number], page: int = 1) -> list[int]:
        return [n, page]

    with TestClient(app) as client:
        assert client.get("/?page=2").json() == [7, 2]


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_request_resource_is_made_for_the_handler_and_ended_after_it(app: Slime, kind: str) -> None:
    def plain(session: int, fail: bool = False) -> int:
        if fail:
            raise HttpError(409)
        return session

    async def coroutine(session: int, fail: bool = False) -> int:
        return plain(session, fail)

    app.route("/")(plain if kind == "plain" else coroutine)
    with TestClient(app) as client:
        assert client.get("/").json() == 1
        assert client.get("/?fail=1").status_code == 409
        assert app.state["database"].closed == ["end", "HttpError"]


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_values_are_checked_before_a_resource_of_the_request_is_made(app: Slime, kind: str) -> None:
    def plain(session: int, page: Annotated[int, Query(ge=1)]) -> list[int]:
        return [session, page]

    async def coroutine(session: int, page: Annotated[int, Query(ge=1)]) -> list[int]:
        return [session, page]

    app.route("/")(plain if kind == "plain" else coroutine)
    with TestClient(app) as client:
        assert client.get("/?page=0").status_code == 422
        assert client.get("/").status_code == 422
        assert app.state["database"].opened == 0
        assert client.get("/?page=3").json() == [1, 3]


def test_depends_is_a_request_resource_without_a_name(app: Slime) -> None:
    def user(req: SlimeRequest, session: int) -> str:
        return f"{req.header.get('x-user', 'nobody')} {session}"

    async def account(session: int) -> AsyncIterator[str]:
        yield f"account {session}"

    @app.route("/plain")
    def plain(who: Annotated[str, Depends(user)], page: int = 1) -> list[Any]:
        return [who, page]

    @app.route("/coroutine")
    async def coroutine(who: Annotated[str, Depends(user)], what: Annotated[str, Depends(account)]) -> list[Any]:
        return [who, what]

    with TestClient(app) as client:
        assert client.get("/plain?page=2", headers={"X-User": "ada"}).json() == ["ada 1", 2]
        assert client.get("/plain?page=x").status_code == 422
        assert client.get("/coroutine").json() == ["nobody 2", "account 2"]
        assert app.state["database"].closed == ["end", "end"]


def test_a_resource_may_be_named_by_its_function_as_well(app: Slime) -> None:
    @app.resource(scope="request")
    def number() -> int:
        return 3

    @app.route("/")
    def home(number: Annotated[int, number]) -> int:
        return number

    with TestClient(app) as client:
        assert client.get("/").json() == 3


def test_a_name_of_a_resource_and_of_the_path_comes_from_two_places(app: Slime) -> None:
    with pytest.raises(ParameterError, match="from the path and from the resource 'db'"):
        app.route("/{db}")(lambda db: db)


def test_a_name_like_a_resource_s_says_what_was_meant(app: Slime) -> None:
    app.route("/")(lambda sesion: sesion)
    with pytest.raises(ParameterError, match=r"resources are db, session: did you mean 'session'\?"):
        TestClient(app).__enter__()
