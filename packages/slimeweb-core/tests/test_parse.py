"""`req.parse`: bodies as values of types."""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, model_validator
from typing_extensions import TypedDict

from slimeweb import Slime, SlimeFile, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError, ValidationFailed, field_error
from slimeweb.json import to_json
from slimeweb.testing import TestClient
from slimeweb.validation import validator_of
from support.parsing import JSON, errors, serving


class Colour(enum.Enum):
    RED = "red"


class Student(BaseModel):
    name: str
    age: int = Field(ge=0)
    tags: list[str] = []


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    number: UUID
    due: date
    colour: Colour
    count: int
    sizes: tuple[int, ...] = ()
    price: Decimal = Decimal(0)


@dataclass
class Point:
    x: int
    ys: list[int] = field(default_factory=list)


class Movie(TypedDict):
    title: str
    years: list[int]


@pytest.mark.parametrize("later", [False, True], ids=["plain", "coroutine"])
@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        (Student, {"name": "Ada", "age": 3}, Student(name="Ada", age=3)),
        (Point, {"x": 1, "ys": [2]}, Point(1, [2])),
        (Movie, {"title": "M", "years": [1931]}, {"title": "M", "years": [1931]}),
        (list[Student], [{"name": "Ada", "age": 3}], [Student(name="Ada", age=3)]),
        (Student | None, None, None),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Annotated[int, Field(gt=0)], 1, 1),
    ],
    ids=str,
)
def test_a_json_body_becomes_a_value_of_the_type(model: Any, body: object, expected: object, later: bool) -> None:
    seen: list[Any] = []
    with TestClient(serving(model, later=later, seen=seen)) as client:
        for _ in range(2):
            assert client.post("/", content=json.dumps(body), headers=JSON).status_code == 200
    assert seen == [expected, expected]
    assert type(seen[0]) is type(expected)


ORDER = {"number": str(UUID(int=1)), "due": "2030-01-02", "colour": "red", "count": 1, "sizes": [1], "price": "1.10"}


def test_a_strict_model_takes_what_json_has_for_its_types() -> None:
    with TestClient(serving(Strict)) as client:
        assert client.post("/", json=ORDER).json() == ORDER
        wrong = errors(client.post("/", json=ORDER | {"count": "1", "due": "soon"}))
        assert [each["loc"] for each in wrong] == [["due"], ["count"]]


@pytest.mark.parametrize("model", [Strict, Student])
@pytest.mark.parametrize("text", [b"{", b"", b"\xff", b'{"name":"\xff"}', b"{} x", b"[" * 5000, b'{"name":NaN,}'])
def test_malformed_json_is_a_400(model: type, text: bytes) -> None:
    with TestClient(serving(model)) as client:
        assert client.post("/", content=text, headers=JSON).status_code == 400


def test_nan_is_not_json() -> None:
    with TestClient(serving(list[float])) as client:
        for text in ("[NaN]", "[Infinity]", "[-Infinity]"):
            assert client.post("/", content=text, headers=JSON).status_code == 400
    with TestClient(serving(list[str])) as client:
        assert client.post("/", json=["NaN", "Infinity"]).json() == ["NaN", "Infinity"]


def test_a_byte_order_mark_is_no_error_of_the_model() -> None:
    with TestClient(serving(Student)) as client:
        text = b"\xef\xbb\xbf" + json.dumps({"name": "Ada", "age": 3}).encode()
        assert client.post("/", content=text, headers=JSON).status_code in (200, 400)


class Line(BaseModel):
    sku: str
    count: int


class Cart(BaseModel):
    items: list[Line]
    by_name: dict[str, Line] = {}


def test_errors_say_where_and_what_and_never_the_input() -> None:
    body = {"items": [{"sku": "a", "count": "secret"}, {"sku": "b"}], "by_name": {"a/b~c d": {"sku": 1, "count": 1}}}
    with TestClient(serving(Cart)) as client:
        answer = client.post("/", json=body)
    assert "secret" not in answer.text
    assert answer.json()["detail"] == "3 values are not valid"
    first, missing, odd = errors(answer)
    assert first == {
        "in": "body",
        "loc": ["items", 0, "count"],
        "pointer": "#/items/0/count",
        "detail": "Input should be a valid integer, unable to parse string as an integer",
        "type": "int_parsing",
    }
    assert (missing["pointer"], missing["type"]) == ("#/items/1/count", "missing")
    assert odd["pointer"] == "#/by_name/a~1b~0c%20d/sku"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    age: int


class Zoo(BaseModel):
    pet: Cat | Dog
    tagged: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    number: UUID | None = None


def test_a_pointer_leads_through_the_body_whatever_the_arm_of_a_union() -> None:
    with TestClient(serving(Zoo)) as client:
        wrong = errors(client.post("/", json={"pet": {"kind": "cat", "lives": "x"}}))
        assert {each["pointer"] for each in wrong} == {"#/pet/lives", "#/pet/kind", "#/pet/age"}
        assert ["pet", "Cat", "lives"] in [each["loc"] for each in wrong]
        secret = {"pet": {"kind": "cat", "lives": 1}, "tagged": {"kind": "secret: x"}, "number": "Qz"}
        answer = client.post("/", json=secret)
        assert [each["type"] for each in errors(answer)] == ["union_tag_invalid", "uuid_parsing"]
        assert "secret" not in answer.text
        assert "Q" not in answer.text
        assert "'cat', 'dog'" in answer.text


def test_an_answer_lists_a_hundred_errors_at_most() -> None:
    with TestClient(serving(list[int])) as client:
        answer = client.post("/", json=["x"] * 1000)
    assert len(errors(answer)) == 100
    assert answer.json()["detail"] == "1000 values are not valid; the first 100 are listed"


class Form(BaseModel):
    name: str
    age: int
    due: date | None = None
    agreed: bool = False
    sizes: set[int] = set()
    tags: Annotated[list[str] | None, Field(validation_alias=AliasChoices("tag", "tags"))] = None
    picked: Sequence[str] = Field(default=(), alias="choice")


FIELDS = {"name": "Ada", "age": "3", "due": "2030-01-02", "agreed": "true", "sizes": ["1", "2"], "tag": "a"}


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_form_s_fields_are_text_and_lists_take_all_values(kind: str) -> None:
    seen: list[Any] = []
    files: Any = {"files": {"file": ("a.txt", b"abc")}} if kind == "multipart" else {}
    with TestClient(serving(Form, seen=seen)) as client:
        client.post("/", data=FIELDS | {"choice": ["x", "y"], "more": "ignored"}, **files)
        assert errors(client.post("/", data=FIELDS | {"age": "old"}, **files))[0]["pointer"] == "#/age"
    (form,) = seen
    assert (form.name, form.age, form.due, form.agreed, form.sizes) == ("Ada", 3, date(2030, 1, 2), True, {1, 2})
    assert (form.tags, form.picked) == (["a"], ["x", "y"])


def test_a_form_fits_strict_models() -> None:
    fields = {key: str(value) if key != "sizes" else ["1", "2"] for key, value in ORDER.items()}
    with TestClient(serving(Strict)) as client:
        assert client.post("/", data=fields).json() == ORDER | {"sizes": [1, 2]}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Point, {"x": 1, "ys": [2, 3]}),
        (dict[str, str], {"x": "1", "ys": "3"}),
        (dict[str, list[str]], {"x": ["1"], "ys": ["2", "3"]}),
        (RootModel[dict[str, int]], {"x": 1, "ys": 3}),
    ],
    ids=str,
)
def test_a_form_becomes_what_is_no_model_too(model: Any, expected: object) -> None:
    with TestClient(serving(model)) as client:
        assert client.post("/", data={"x": "1", "ys": ["2", "3"]}).json() == expected


class Checked(BaseModel):
    first: int
    many: list[int] = []
    child: Checked | None = None

    @model_validator(mode="after")
    def check(self) -> Checked:
        if self.first == 13:
            raise ValueError("unlucky")
        return self


def test_a_model_with_validators_and_itself_inside_takes_forms() -> None:
    with TestClient(serving(Checked)) as client:
        assert client.post("/", data={"first": "1", "many": ["2", "3"]}).json()["many"] == [2, 3]
        (error,) = errors(client.post("/", data={"first": "13"}))
        assert (error["pointer"], error["detail"]) == ("#", "Value error, unlucky")


class Upload(BaseModel):
    title: str
    photo: SlimeFile
    more: list[SlimeFile] = []
    cover: SlimeFile | None = None


@pytest.mark.parametrize("later", [False, True], ids=["plain", "coroutine"])
def test_fields_of_the_type_slimefile_take_files(later: bool) -> None:
    app = Slime(__file__)

    def read(req: SlimeRequest, resp: SlimeResponse) -> Any:
        form = req.parse(Upload)
        return [form.title, form.photo.read().decode(), [each.read().decode() for each in form.more], form.cover]

    async def read_later(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return read(req, resp)

    app.route(path="/", method="POST")(read_later if later else read)
    photo = ("photo", ("a.png", b"p"))
    more = [("more", ("b.png", b"1")), ("more", ("c.png", b"2"))]
    with TestClient(app) as client:
        answer = client.post("/", data={"title": "t"}, files=[photo, *more])
        assert answer.json() == ["t", "p", ["1", "2"], None]
        missing = errors(client.post("/", data={"title": "t"}, files=more))
        assert [(each["pointer"], each["type"]) for each in missing] == [("#/photo", "missing")]
        text = errors(client.post("/", data={"title": "t", "photo": "secret"}))
        assert text[0]["pointer"] == "#/photo"
        file = errors(client.post("/", files=[photo, ("title", ("secret.txt", b"x"))]))
        assert file[0]["pointer"] == "#/title"
        assert "secret" not in str((text, file))


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/csv"}, {"Content-Type": "application/jsonp"}])
def test_another_content_type_is_a_415_that_says_which_are_taken(headers: dict[str, str]) -> None:
    with TestClient(serving(Student)) as client:
        answer = client.post("/", content=b"a,b", headers=headers)
    assert answer.status_code == 415
    for taken in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert taken in answer.text
        assert taken in answer.headers["accept"]


def test_an_error_handler_gets_what_did_not_fit() -> None:
    app = serving(Student)

    @app.error(ValidationFailed)
    def tell(req: SlimeRequest, resp: SlimeResponse, exc: ValidationFailed) -> SlimeResponse:
        return resp.json([each["pointer"] for each in exc.errors], status=400)

    with TestClient(app) as client:
        answer = client.post("/", json={"name": 1, "age": -1})
        assert (answer.status_code, answer.json()) == (400, ["#/name", "#/age"])


def test_a_type_that_cannot_be_checked_is_a_config_error() -> None:
    for kind in (object(), Slime, list[Slime]):
        with pytest.raises(ConfigError, match="no type that pydantic can check"):
            validator_of(kind)


def test_without_pydantic_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = __import__("sys").modules
    monkeypatch.setitem(modules, "pydantic", None)
    monkeypatch.delitem(modules, "slimeweb._pydantic", raising=False)
    with pytest.raises(ConfigError, match="pip install pydantic"):
        validator_of(Point)


def test_types_that_compare_equal_and_are_not_the_same_are_checked_apart() -> None:
    class Left(BaseModel):
        a: int

    class Right(BaseModel):
        a: int

    app = Slime(__file__)

    @app.route(path="/", method="POST")
    def both(req: SlimeRequest, resp: SlimeResponse) -> Any:
        kinds = (list[Left | Right], list[Right | Left], Literal[1], Literal[True], Annotated[int, Field(gt=0)])
        return [type(req.parse(kind)[0]).__name__ for kind in kinds[:2]]

    with TestClient(app) as client:
        assert client.post("/", json=[{"a": 1}]).json() == ["Left", "Right"]


def test_a_validator_of_a_value_that_is_no_body() -> None:
    page = validator_of(Annotated[int, Field(ge=1)])
    assert page.convert("3") == 3
    with pytest.raises(page.failures) as caught:
        page.convert("0")
    (error,) = page.errors(caught.value, "query", ["page"])
    assert error == {
        "in": "query",
        "loc": ["page"],
        "detail": "Input should be greater than or equal to 1",
        "type": "greater_than_equal",
    }
    failed = ValidationFailed([error, field_error("header", ["x-key"], "Field required", "missing")])
    assert (failed.status, failed.detail, len(failed.errors)) == (422, "2 values are not valid", 2)
    assert json.loads(to_json(failed.errors))[1] == {
        "in": "header",
        "loc": ["x-key"],
        "detail": "Field required",
        "type": "missing",
    }


def test_a_streamed_body_cannot_be_parsed() -> None:
    app = Slime(__file__)
    seen: list[str] = []

    @app.route(path="/", method="POST", stream_body=True)
    def parse(req: SlimeRequest, resp: SlimeResponse) -> str:
        with pytest.raises(RuntimeError, match="stream_body=True") as caught:
            req.parse(Student)
        seen.append(str(caught.value))
        return "told"

    with TestClient(app) as client:
        client.post("/", json={})
        client.post("/", data={"a": "b"})
        client.post("/", data={"a": "b"}, files={"f": ("a", b"b")})
    assert len(seen) == 3
