"""What typed handlers return is sent as their return type says."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import pytest
from pydantic import BaseModel

from slimeweb import Slime, SlimeResponse
from slimeweb.testing import TestClient
from slimeweb_typed import InvalidReturn, ParameterError


class UserOut(BaseModel):
    id: int
    name: str


class Secret(UserOut):
    password: str = "x"


class Row:
    """As an ORM has them."""

    id = 3
    name = "ada"
    password = "x"


@dataclass
class Point:
    x: int


@dataclass
class Point3(Point):
    z: int


class Opaque:
    pass


def answer(annotation: Any, value: Any, kind: str) -> Any:
    app = Slime(__file__)

    def show() -> Any:
        return value

    async def show_async() -> Any:
        return value

    handler = show if kind == "plain" else show_async
    handler.__annotations__["return"] = annotation
    app.route("/")(handler)
    with TestClient(app) as client:
        return client.get("/")


BOTH = pytest.mark.parametrize("kind", ["plain", "coroutine"])


@BOTH
@pytest.mark.parametrize(
    ("annotation", "value", "body"),
    [
        (UserOut, UserOut(id=3, name="ada"), '{"id":3,"name":"ada"}'),
        (UserOut, Secret(id=3, name="ada"), '{"id":3,"name":"ada"}'),
        (UserOut, Row(), '{"id":3,"name":"ada"}'),
        (UserOut, {"id": 3, "name": "ada", "password": "x"}, '{"id":3,"name":"ada"}'),
        (list[UserOut], [Secret(id=3, name="ada"), Row()], '[{"id":3,"name":"ada"},{"id":3,"name":"ada"}]'),
        (dict[str, UserOut], {"a": Secret(id=3, name="ada")}, '{"a":{"id":3,"name":"ada"}}'),
        (Optional[UserOut], Secret(id=3, name="ada"), '{"id":3,"name":"ada"}'),  # noqa: UP045
        (UserOut | SlimeResponse, Row(), '{"id":3,"name":"ada"}'),
        (Point, Point3(1, 2), '{"x":1}'),
        (datetime.date, datetime.date(2026, 1, 2), '"2026-01-02"'),
        (tuple[int, int], (1, 2), "[1,2]"),
        (int, 3, "3"),
        (dict, {"a": 1}, '{"a":1}'),
    ],
    ids=str,
)
def test_a_value_is_json_of_the_return_type_and_of_nothing_more(
    annotation: Any, value: Any, body: str, kind: str
) -> None:
    found = answer(annotation, value, kind)
    assert (found.status_code, found.text, found.headers["content-type"]) == (200, body, "application/json")


@BOTH
@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (UserOut, {"id": "x"}, "is no UserOut: id: Input should be a valid integer, unable to parse"),
        (UserOut, None, "is no UserOut"),
        (UserOut, UserOut.model_construct(id="secret-value", name="ada"), "is no UserOut"),
        (list[UserOut], [{"id": 1}], r"0\.name: Field required"),
        (int, "secret-value", "is no int"),
    ],
    ids=str,
)
def test_a_misfit_is_a_logged_500_that_says_where_and_not_what(
    annotation: Any, value: Any, message: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert answer(annotation, value, kind).status_code == 500
    (error,) = [each.exc_info[1] for each in caplog.records if each.exc_info]
    assert isinstance(error, InvalidReturn)
    with pytest.raises(InvalidReturn, match=message):
        raise error
    assert "test_returns.py:" in str(error)
    assert "secret-value" not in caplog.text


@BOTH
@pytest.mark.parametrize("annotation", [UserOut | None, Optional[UserOut], None], ids=str)  # noqa: UP045
def test_none_where_it_may_be_is_a_204(annotation: Any, kind: str) -> None:
    found = answer(annotation, None, kind)
    assert (found.status_code, found.text) == (204, "")


@BOTH
@pytest.mark.parametrize(
    ("annotation", "value", "kind_of_content"),
    [
        (str, "text", "text/plain; charset=utf-8"),
        (bytes, b"text", "application/octet-stream"),
        (str | UserOut, "text", "text/plain; charset=utf-8"),
        (Any, "text", "text/plain; charset=utf-8"),
    ],
    ids=str,
)
def test_text_and_bytes_are_sent_as_they_are(annotation: Any, value: Any, kind_of_content: str, kind: str) -> None:
    found = answer(annotation, value, kind)
    assert (found.text, found.headers["content-type"]) == ("text", kind_of_content)


def test_a_body_with_a_status_is_as_for_any_handler() -> None:
    found = Slime(__file__)

    @found.route("/tuple")
    def pair():  # type: ignore[no-untyped-def]
        return {"a": 1}, 201

    @found.route("/status")
    def status(resp: SlimeResponse, n: int = 1) -> UserOut:
        resp.set_status(201)
        return UserOut(id=n, name="ada")

    @found.route("/own")
    def own(n: int, resp) -> UserOut | SlimeResponse:  # type: ignore[no-untyped-def]
        return resp.redirect("/status")  # type: ignore[no-any-return]

    with TestClient(found) as client:
        assert client.get("/tuple").status_code == 500
        answered = client.get("/status")
        assert (answered.status_code, answered.json()) == (201, {"id": 1, "name": "ada"})
        assert client.get("/own?n=1", follow_redirects=False).status_code == 302


def test_a_type_without_json_fails_before_the_address_is_bound() -> None:
    app = Slime(__file__)

    @app.route("/")
    def show() -> Opaque:
        return Opaque()

    with pytest.raises(ParameterError, match=r"show \(.*test_returns\.py:\d+\): its return type has no JSON"):
        TestClient(app).__enter__()


def test_a_return_type_that_does_not_resolve_fails_before_the_address_is_bound() -> None:
    app = Slime(__file__)

    @app.route("/")
    def show() -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
        return 1

    with pytest.raises(ParameterError, match=r"its return annotation 'Nowhere' does not resolve"):
        TestClient(app).__enter__()


def test_pieces_are_core_s(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)

    @app.route("/{n}")
    def show(n: int, resp: SlimeResponse) -> SlimeResponse:
        def pieces() -> Iterator[str]:
            yield from ("a" for _ in range(n))

        return resp.stream(pieces())

    with TestClient(app) as client:
        assert client.get("/3").text == "aaa"
