"""Values are checked before the handler is called, and one 422 lists all that does not fit."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, field_validator

from slimeweb import Slime
from slimeweb.testing import TestClient
from slimeweb_typed import Bearer, Cookie, Header, Query


class User(BaseModel):
    name: str
    ages: list[int] = []

    @field_validator("name")
    @classmethod
    def no_crash(cls, value: str) -> str:
        if value == "crash":
            raise KeyError(value)
        return value


@pytest.fixture(params=["plain", "coroutine"])
def app(request: pytest.FixtureRequest) -> Slime:
    app = Slime(__file__)
    called: list[int] = []
    app.state["called"] = called

    def show(
        id: int,
        user: User,
        page: Annotated[int, Query(ge=1)],
        tag: list[int],
        x_size: Annotated[int, Header()],
        theme: Annotated[str, Cookie(max_length=3)],
        token: Annotated[str, Bearer()],
    ) -> str:
        called.append(id)
        return "fits"

    async def show_async(
        id: int,
        user: User,
        page: Annotated[int, Query(ge=1)],
        tag: list[int],
        x_size: Annotated[int, Header()],
        theme: Annotated[str, Cookie(max_length=3)],
        token: Annotated[str, Bearer()],
    ) -> str:
        called.append(id)
        return "fits"

    app.route("/{id}", method="POST")(show if request.param == "plain" else show_async)
    return app


ME = {"Authorization": "Bearer t"}


def test_a_422_lists_every_error_and_the_handler_is_not_called(app: Slime) -> None:
    with TestClient(app) as client:
        answer = client.post(
            "/x?page=0&tag=1&tag=b",
            json={"ages": [1, "z"]},
            headers={**ME, "X-Size": "huge-secret", "Cookie": "theme=dark"},
        )
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        errors = answer.json()["errors"]
        assert [each["pointer"] for each in errors if each["in"] == "body"] == ["#/name", "#/ages/1"]
        assert [(each["in"], each["loc"], each["type"]) for each in errors] == [
            ("path", ["id"], "int_parsing"),
            ("query", ["page"], "greater_than_equal"),
            ("query", ["tag", 1], "int_parsing"),
            ("header", ["x-size"], "int_parsing"),
            ("cookie", ["theme"], "string_too_long"),
            ("body", ["name"], "missing"),
            ("body", ["ages", 1], "int_parsing"),
        ]
        assert "huge-secret" not in answer.text
        assert app.state["called"] == []


def test_what_is_missing_is_listed_by_its_name_in_the_request(app: Slime) -> None:
    with TestClient(app) as client:
        errors = client.post("/1", json={"name": "ada"}, headers=ME).json()["errors"]
        assert {each["type"] for each in errors} == {"missing"}
        assert [(each["in"], each["loc"]) for each in errors] == [
            ("query", ["page"]), ("query", ["tag"]), ("header", ["x-size"]), ("cookie", ["theme"])
        ]  # fmt: skip


def test_who_has_no_credentials_hears_of_nothing_else(app: Slime) -> None:
    with TestClient(app) as client:
        answer = client.post("/x", json={})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_body_that_is_not_json_is_a_400(app: Slime) -> None:
    good = {**ME, "X-Size": "1", "Cookie": "theme=d", "Content-Type": "application/json"}
    with TestClient(app) as client:
        assert client.post("/1?page=1&tag=1", content=b"{", headers=good).status_code == 400
        assert client.post("/1?page=0&tag=1", content=b"{", headers=good).status_code == 400
        other = {**good, "Content-Type": "text/plain"}
        assert client.post("/1?page=1&tag=1", content=b"{", headers=other).status_code == 415


def test_what_fits_is_given_to_the_handler(app: Slime) -> None:
    good = {**ME, "X-Size": "1", "Cookie": "theme=d"}
    with TestClient(app) as client:
        assert client.post("/1?page=1&tag=1", json={"name": "ada"}, headers=good).text == "fits"
        assert app.state["called"] == [1]


def test_what_a_validator_raises_by_mistake_is_a_500(app: Slime) -> None:
    good = {**ME, "X-Size": "1", "Cookie": "theme=d"}
    with TestClient(app) as client:
        assert client.post("/1?page=1&tag=1", json={"name": "crash"}, headers=good).status_code == 500


def test_an_error_of_the_handler_is_its_own(app: Slime) -> None:
    other = Slime(__file__)

    @other.route("/")
    def show(n: int) -> Any:
        return User.model_validate({})

    with TestClient(other) as client:
        assert client.get("/?n=1").status_code == 500
