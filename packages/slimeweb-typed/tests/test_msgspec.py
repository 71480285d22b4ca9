"""Typed handlers of msgspec's types."""

from __future__ import annotations

from typing import Any

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient
from slimeweb_typed import InvalidReturn

msgspec = pytest.importorskip("msgspec", reason="msgspec has no wheel for this interpreter")


class Struct(msgspec.Struct):  # type: ignore[name-defined, misc]
    name: str


class SecretStruct(Struct):
    password: str


class Row:
    name = "ada"
    password = "x"


def answer(annotation: Any, value: Any, errors: list[BaseException]) -> Any:
    app = Slime(__file__)

    def show() -> Any:
        return value

    show.__annotations__["return"] = annotation
    app.route("/")(show)
    app.error(InvalidReturn)(lambda req, resp, exc: errors.append(exc))
    with TestClient(app) as client:
        return client.get("/")


@pytest.mark.parametrize(
    ("annotation", "value", "body"),
    [
        (Struct, Struct("ada"), '{"name":"ada"}'),
        (Struct, SecretStruct("ada", "x"), '{"name":"ada"}'),
        (Struct, Row(), '{"name":"ada"}'),
        (Struct, {"name": "ada", "password": "x"}, '{"name":"ada"}'),
        (list[Struct], [SecretStruct("ada", "x")], '[{"name":"ada"}]'),
        (Struct | None, SecretStruct("ada", "x"), '{"name":"ada"}'),
    ],
    ids=str,
)
def test_a_struct_is_sent_with_its_own_fields_alone(annotation: Any, value: Any, body: str) -> None:
    assert answer(annotation, value, []).text == body


def test_a_misfit_is_a_500() -> None:
    errors: list[BaseException] = []
    assert answer(Struct, {"name": 3}, errors).status_code == 500
    assert "returned what is no Struct: Expected `str`, got `int`" in str(errors[0])


@pytest.mark.parametrize(
    ("annotation", "body"), [(Struct, {"name": "ada"}), (list[Struct], [{"name": "ada"}])], ids=str
)
def test_a_struct_or_a_list_of_them_is_the_body(annotation: Any, body: Any) -> None:
    app = Slime(__file__)

    def show(data: Any) -> str:
        return repr(data)

    show.__annotations__["data"] = annotation
    app.route("/", method="POST")(show)
    with TestClient(app) as client:
        assert "Struct(name='ada')" in client.post("/", json=body).text
        assert client.post("/", json=3).json()["errors"][0]["in"] == "body"
