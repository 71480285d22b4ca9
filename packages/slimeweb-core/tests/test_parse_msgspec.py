"""`req.parse` with the types of msgspec."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

import pytest

from slimeweb import Slime, SlimeFile, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError, ValidationFailed
from slimeweb.testing import TestClient
from slimeweb.validation import validator_of
from support.parsing import JSON, errors, serving

pytest.importorskip("msgspec", reason="msgspec has no wheel for this interpreter")

import msgspec


class Struct(msgspec.Struct):
    name: str
    age: int
    tags: list[str] = []
    due: date | None = None


@pytest.mark.parametrize("later", [False, True], ids=["plain", "coroutine"])
def test_a_json_body_becomes_a_struct(later: bool) -> None:
    for model, body, expected in [
        (Struct, {"name": "Ada", "age": 3, "due": "2030-01-02"}, Struct("Ada", 3, [], date(2030, 1, 2))),
        (list[Struct], [{"name": "Ada", "age": 3}], [Struct("Ada", 3)]),
        (dict[str, Struct], {"a": {"name": "Ada", "age": 3}}, {"a": Struct("Ada", 3)}),
    ]:
        seen: list[Any] = []
        with TestClient(serving(model, later=later, seen=seen)) as client:
            assert client.post("/", json=body).status_code == 200
        assert seen == [expected]


def test_a_struct_is_an_answer() -> None:
    app = Slime(__file__)

    @app.route(path="/")
    def answer(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return Struct("Ada", 3, due=date(2030, 1, 2))

    with TestClient(app) as client:
        assert client.get("/").json() == {"name": "Ada", "age": 3, "tags": [], "due": "2030-01-02"}


@pytest.mark.parametrize(
    "text", [b"{", b"", b"\xff", b'{"name":"\xff"}', b"{} x", b"[" * 5000, b'{"name":' + b"[" * 5000, b'{"\xff":1}']
)
def test_malformed_json_is_a_400(text: bytes) -> None:
    with TestClient(serving(Struct)) as client:
        assert client.post("/", content=text, headers=JSON).status_code == 400


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["a", "b"] = "a"
    numbers: list[int] = []


class Outer(msgspec.Struct):
    inner: list[Inner]
    by_name: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("body", "loc", "pointer", "kind"),
    [
        ({}, ["inner"], "#/inner", "missing"),
        ({"inner": [{"numbers": [1, "secret"]}]}, ["inner", 0, "numbers", 1], "#/inner/0/numbers/1", "type"),
        ({"inner": [{"kind": "secret"}]}, ["inner", 0, "kind"], "#/inner/0/kind", "enum"),
        ({"inner": [{"more": 1}]}, ["inner", 0, "more"], "#/inner/0/more", "extra_forbidden"),
        ({"inner": [], "by_name": {"a": 1}}, ["by_name"], "#/by_name", "type"),
        ({"inner": [], "by_name": {"a": {}, "b": {"kind": 1}}}, ["by_name"], "#/by_name", "type"),
        ([], [], "#", "type"),
    ],
)
def test_errors_of_msgspec(body: object, loc: list[str | int], pointer: str, kind: str) -> None:
    with TestClient(serving(Outer)) as client:
        answer = client.post("/", json=body)
    (error,) = errors(answer)
    assert (error["in"], error["loc"], error["pointer"], error["type"]) == ("body", loc, pointer, kind)
    assert "secret" not in answer.text


class FormStruct(msgspec.Struct, rename={"picked": "choice"}):
    name: str
    age: int
    due: date | None = None
    agreed: bool = False
    sizes: set[int] = set()
    tag: list[str] | None = None
    picked: Sequence[str] = []


FIELDS = {"name": "Ada", "age": "3", "due": "2030-01-02", "agreed": "true", "sizes": ["1", "2"], "tag": "a"}


def test_a_form_s_fields_are_text_and_lists_take_all_values() -> None:
    seen: list[Any] = []
    with TestClient(serving(FormStruct, seen=seen)) as client:
        client.post("/", data=FIELDS | {"choice": ["x", "y"], "more": "ignored"})
        assert errors(client.post("/", data=FIELDS | {"age": "old"}))[0]["pointer"] == "#/age"
    assert seen == [FormStruct("Ada", 3, date(2030, 1, 2), True, {1, 2}, ["a"], ["x", "y"])]


class UploadStruct(msgspec.Struct):
    title: str
    photo: SlimeFile
    more: list[SlimeFile] = []
    cover: SlimeFile | None = None


def test_fields_of_the_type_slimefile_take_files() -> None:
    app = Slime(__file__)

    @app.route(path="/", method="POST")
    def read(req: SlimeRequest, resp: SlimeResponse) -> Any:
        form = req.parse(UploadStruct)
        return [form.title, form.photo.read().decode(), [each.read().decode() for each in form.more], form.cover]

    photo = ("photo", ("a.png", b"p"))
    more = [("more", ("b.png", b"1")), ("more", ("c.png", b"2"))]
    with TestClient(app) as client:
        assert client.post("/", data={"title": "t"}, files=[photo, *more]).json() == ["t", "p", ["1", "2"], None]
        (text,) = errors(client.post("/", data={"title": "t", "photo": "secret"}))
        assert text["pointer"] == "#/photo"
        assert "secret" not in str(text)


def test_a_type_that_cannot_be_checked_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="no type that msgspec can check"):
        validator_of(list[Struct | dict[str, int]])


def test_a_validator_works_without_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = __import__("sys").modules
    monkeypatch.setitem(modules, "pydantic", None)
    monkeypatch.delitem(modules, "slimeweb._pydantic", raising=False)
    struct = validator_of(Struct)
    assert struct.json(b'{"name":"Ada","age":3}') == Struct("Ada", 3)
    with pytest.raises(ValidationFailed) as caught:
        struct.json(b'{"name":"Ada","age":"3"}')
    assert caught.value.errors[0]["detail"] == "Expected int, got str"
