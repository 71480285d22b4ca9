"""What requests and responses get from Python: cookies, state, validation; JSON of more than JSON's types."""

from __future__ import annotations

import enum
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb._signing import sign
from slimeweb.json import default, to_json
from slimeweb.testing import TestClient


def cookie_app() -> Slime:
    app = Slime(__file__)

    @app.route("/login")
    def login(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_sign_cookie("user", "ada & co")
        resp.set_cookie("theme", "dark", max_age=60, http_only=False)
        resp.set_sign_cookie("special", "x", "a secret of its own", path="/me")

    @app.route("/me")
    def me(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        return {
            "user": req.get_signed_cookie("user", max_age=60),
            "special": req.get_signed_cookie("special"),
            "special with its secret": req.get_signed_cookie("special", secret="a secret of its own"),
            "theme": req.get_cookies().get("theme"),
        }

    def cookies(resp: SlimeResponse) -> None:
        resp.set_cookie("a", "1")
        resp.set_cookie("b", "1")
        resp.set_cookie("a", "1", path="/x")
        resp.set_sign_cookie("a", "2")
        resp.set_cookie("a", "3", max_age=5)
        resp.delete_cookie("b")
        resp.delete_cookie("c", "/x", "example.com")

    @app.route("/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        cookies(resp)

    @app.route("/coroutine")
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
        cookies(resp)

    @app.route("/broken")
    def broken(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_cookie("a", "b\r\nSet-Cookie: admin=1")

    return app


@pytest.mark.parametrize("path", ["/plain", "/coroutine"])
def test_of_a_cookie_that_is_set_twice_the_last_counts(path: str) -> None:
    with TestClient(cookie_app()) as client:
        past = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
        assert client.get(path).header_all("set-cookie") == [
            "a=1; Path=/x; HttpOnly; SameSite=Lax",
            "a=3; Path=/; Max-Age=5; HttpOnly; SameSite=Lax",
            f"b=; Path=/; {past}",
            f"c=; Path=/x; Domain=example.com; {past}",
        ]


def test_cookies_come_back_as_they_were_set() -> None:
    with TestClient(cookie_app(), secret_key="secret") as client:
        headers = client.get("/login").header_all("set-cookie")
        assert headers[1] == "theme=dark; Path=/; Max-Age=60; SameSite=Lax"
        assert headers[2].endswith("; Path=/me; HttpOnly; SameSite=Lax")
        assert client.get("/me").json() == {
            "user": "ada & co",
            "special": None,
            "special with its secret": "x",
            "theme": "dark",
        }


def test_keys_rotate_and_others_cookies_are_none() -> None:
    with TestClient(cookie_app(), secret_key=["new", "old"]) as client:
        client.cookies = {"user": sign("user", "ada", "old")}
        assert client.get("/me").json()["user"] == "ada"
        client.cookies = {"user": sign("theme", "ada", "new")}
        assert client.get("/me").json()["user"] is None
        client.cookies = {"user": sign("user", "ada", "new", now=1)}
        assert client.get("/me").json()["user"] is None


def test_nothing_is_injected_through_a_cookie() -> None:
    with TestClient(cookie_app()) as client:
        response = client.get("/broken")
        assert (response.status_code, response.cookies) == (500, {})


def test_a_missing_secret_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    app = cookie_app()
    with TestClient(app) as client:
        client.get("/login")
        assert client.get("/me").json()["user"] == "ada & co"
        client.get("/login")
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert ["no secret_key" in record.getMessage() for record in warnings] == [True]
    caplog.clear()
    with TestClient(cookie_app(), dev=True) as client:
        client.get("/login")
    assert not caplog.records


def test_state() -> None:
    app = Slime(__file__)

    @app.route("/")
    def count(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        req.update_state("last", req.path)
        return {"count": req.state.incr("count"), "last": req.get_state("last"), "other": req.get_state("other")}

    with TestClient(app, app_state={"count": 10}) as client:
        assert client.get("/").json() == {"count": 11, "last": "/", "other": None}
        assert app.state["count"] == 11


class Student(BaseModel):
    name: str
    age: int = Field(ge=0)


def test_validation() -> None:
    app = Slime(__file__)

    @app.route("/strict", method="POST")
    async def strict(req: SlimeRequest, resp: SlimeResponse) -> str:
        req.validate(Student)
        return "valid"

    @app.route("/lenient", method="POST")
    def lenient(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return req.validate(Student, raise_err=False) or "valid"

    @app.route("/list", method="POST")
    def listed(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return req.validate(list[int], raise_err=False) or "valid"

    with TestClient(app) as client:
        good, bad = {"name": "Ada", "age": 3}, {"name": "Ada", "age": "secret"}
        assert client.post("/strict", json=good).text == client.post("/lenient", json=good).text == "valid"
        refused = client.post("/strict", json=bad)
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert [error["pointer"] for error in refused.json()["errors"]] == ["#/age"]
        assert "secret" not in refused.text
        errors = client.post("/lenient", json=bad).json()["errors"]
        assert [(error["loc"], error["type"]) for error in errors] == [("age", "int_parsing")]
        assert set(errors[0]) == {"loc", "msg", "type"}
        assert "secret" not in str(errors)
        assert client.post("/lenient", content="{", headers={"Content-Type": "application/json"}).status_code == 400
        assert [error["loc"] for error in client.post("/list", json=[1, "x"]).json()["errors"]] == ["1"]
        assert client.post("/lenient").json()["errors"]


class Colour(enum.Enum):
    RED = "red"


class Order(BaseModel):
    model_config = ConfigDict(strict=True)

    number: UUID
    due: date
    at: datetime
    colour: Colour
    sizes: tuple[int, ...]
    tags: set[str]
    price: Decimal
    count: int


@pytest.mark.parametrize("variant", ["plain", "coroutine"])
def test_a_strict_model_takes_what_json_has_for_its_types(variant: str) -> None:
    app = Slime(__file__)

    @app.route("/plain", method="POST")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return req.validate(Order, raise_err=False) or "valid"

    @app.route("/coroutine", method="POST")
    async def later(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return req.validate(Order, raise_err=False) or "valid"

    order = {
        "number": "00000000-0000-0000-0000-000000000001",
        "due": "2030-01-02",
        "at": "2030-01-02T03:04:05Z",
        "colour": "red",
        "sizes": [1, 2],
        "tags": ["a"],
        "price": "1.10",
        "count": 1,
    }
    with TestClient(app) as client:
        assert client.post(f"/{variant}", json=order).text == "valid"
        marked = b"\xef\xbb\xbf" + json.dumps(order).encode()
        kind = {"Content-Type": "application/json"}
        assert client.post(f"/{variant}", content=marked, headers=kind).status_code in (200, 400)
        errors = client.post(f"/{variant}", json=order | {"count": "1", "due": "soon"}).json()["errors"]
        assert sorted(error["loc"] for error in errors) == ["count", "due"]
        assert client.post(f"/{variant}", content="{", headers=kind).status_code == 400
        for nothing in (b"null", b""):
            refused = client.post(f"/{variant}", content=nothing, headers=kind)
            assert refused.status_code == 400 or refused.json()["errors"]
        assert client.post(f"/{variant}", content=json.dumps(order)).json()["errors"], "not sent as JSON"


def test_an_error_handler_of_pydantics_own_exception_gets_it_from_validate() -> None:
    app = Slime(__file__)

    @app.route("/", method="POST")
    def check(req: SlimeRequest, resp: SlimeResponse) -> str:
        req.validate(Student)
        return "valid"

    @app.error(ValidationError)
    def tell(req: SlimeRequest, resp: SlimeResponse, exc: ValidationError) -> SlimeResponse:
        return resp.json({"count": exc.error_count()}, status=400)

    with TestClient(app) as client:
        answer = client.post("/", json={})
        assert (answer.status_code, answer.json()) == (400, {"count": 2})


def test_a_model_that_the_handler_itself_fails_to_make_is_a_500() -> None:
    app = Slime(__file__)

    @app.route("/", method="POST")
    def make(req: SlimeRequest, resp: SlimeResponse) -> Student:
        assert req.validate(Student) is None
        return Student(name="Ada", age=-1)

    with TestClient(app) as client:
        assert client.post("/", json={"name": "Ada", "age": 1}).status_code == 500


@dataclass
class Point:
    x: int
    when: date


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Point(1, date(2030, 1, 2)), '{"x":1,"when":"2030-01-02"}'),
        (Student(name="Ada", age=3), '{"name":"Ada","age":3}'),
        (datetime(2030, 1, 2, 3, 4, tzinfo=UTC), '"2030-01-02T03:04:00+00:00"'),
        (time(3, 4), '"03:04:00"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.10"), '"1.10"'),
        ({1}, "[1]"),
        (frozenset(), "[]"),
        (Path("/a/b"), '"/a/b"'),
        (Colour.RED, '"red"'),
        ([{"deep": Colour.RED}], '[{"deep":"red"}]'),
    ],
)
def test_json_of_more_than_jsons_types(value: object, text: str) -> None:
    assert to_json(value).decode() == text


@pytest.mark.parametrize("value", [object(), 1j, Point, Student, b"bytes"])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        default(value)


def test_an_attribute_that_nothing_brings() -> None:
    app = Slime(__file__)
    seen = []

    @app.route("/")
    def look(req: SlimeRequest, resp: SlimeResponse) -> None:
        for owner in (req, resp):
            with pytest.raises(AttributeError) as caught:
                _ = owner.nonsense
            seen.append(str(caught.value))

    with TestClient(app) as client:
        assert client.get("/").status_code == 204
    assert seen == ["SlimeRequest has no attribute 'nonsense'", "SlimeResponse has no attribute 'nonsense'"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda resp: resp.set_cookie("a", "b", samesite="Lax"),
            r"set_cookie\(\) .*'samesite': did you mean 'same_site'",
        ),
        (lambda resp: resp.set_cookie("a", "b", httponly=True), "did you mean 'http_only'"),
        (lambda resp: resp.set_cookie("a", "b", maxage=5), "did you mean 'max_age'"),
        (lambda resp: resp.delete_cookie("a", samesite="Lax"), r"delete_cookie\(\) .* did you mean 'same_site'"),
        (lambda resp: resp.set_sign_cookie("a", "b", Secure=True), r"set_sign_cookie\(\) .* did you mean 'secure'"),
        (lambda resp: resp.set_cookie("a", "b", colour="red"), "there are path, domain"),
        (lambda resp: resp.set_sign_cookie("a", 5), "is 5, not text: give '5'"),
    ],
)
def test_a_cookie_attribute_that_is_mistyped_is_told_with_the_right_one(call: Any, message: str) -> None:
    app = Slime(__file__)
    told = []

    @app.route("/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> None:
        try:
            call(resp)
        except TypeError as error:
            told.append(str(error))

    with TestClient(app) as client:
        client.get("/")
    (text,) = told
    assert re.search(message, text)


def _in_a_handler(look: Callable[[Any], None]) -> None:
    """Calls `look` with a request and with a response, and passes on what it raises."""
    app = Slime(__file__)
    failed: list[BaseException] = []

    @app.route("/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> None:
        for owner in (req, resp):
            try:
                look(owner)
            except BaseException as error:
                failed.append(error)

    with TestClient(app) as client:
        assert client.get("/").status_code == 204
    if failed:
        raise failed[0]


def test_an_attribute_can_be_set_changed_and_deleted() -> None:
    def look(owner: Any) -> None:
        assert not hasattr(owner, "user")
        owner.user = "ada"
        owner.user = "grace"
        assert owner.user == "grace"
        del owner.user
        assert not hasattr(owner, "user")
        with pytest.raises(AttributeError, match="user"):
            del owner.user

    _in_a_handler(look)


def test_what_is_read_only_cannot_be_set_or_deleted() -> None:
    def look(owner: Any) -> None:
        name = "path" if isinstance(owner, SlimeRequest) else "is_set"
        before = getattr(owner, name)
        with pytest.raises(AttributeError, match=name):
            setattr(owner, name, "other")
        with pytest.raises(AttributeError, match=name):
            delattr(owner, name)
        owner.__dict__[name] = "other"
        assert getattr(owner, name) == before

    _in_a_handler(look)


def test_an_attribute_goes_before_a_method_and_before_what_plugins_add() -> None:
    def look(owner: Any) -> None:
        names = ("header_all", "get_cookies") if isinstance(owner, SlimeRequest) else ("plain", "set_cookie")
        for name in names:
            assert callable(getattr(owner, name))
            setattr(owner, name, "mine")
            assert getattr(owner, name) == "mine"
            delattr(owner, name)
            assert callable(getattr(owner, name))

    _in_a_handler(look)


def test_attributes_are_in_vars_and_dir() -> None:
    def look(owner: Any) -> None:
        assert vars(owner) == {}
        owner.user = "ada"
        assert vars(owner) == {"user": "ada"}
        assert {"user", "__class__"} <= set(dir(owner))
        vars(owner)["role"] = "admin"
        assert owner.role == "admin"

    _in_a_handler(look)


class Markup:
    def __html__(self) -> str:
        return "<b>ä</b>"


class MarkupText(str):
    def __html__(self) -> str:
        return str(self)


class Unmarked:
    def __html__(self) -> int:
        return 1


@pytest.mark.parametrize("value", [Markup(), MarkupText("<b>ä</b>")])
def test_a_value_that_knows_its_html_is_answered_as_html(value: Any) -> None:
    app = Slime(__file__)

    @app.route("/plain")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return value

    @app.route("/coroutine")
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return value

    @app.route("/said")
    def said(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return resp.html(value)

    @app.route("/wrong")
    def wrong(req: SlimeRequest, resp: SlimeResponse) -> Any:
        with pytest.raises(TypeError, match="has to give a str"):
            resp.html(Unmarked())  # type: ignore[arg-type]
        return "told"

    with TestClient(app) as client:
        for path in ("/plain", "/coroutine", "/said"):
            answer = client.get(path)
            assert (answer.text, answer.headers["content-type"]) == ("<b>ä</b>", "text/html; charset=utf-8")
        assert client.get("/wrong").text == "told"


@pytest.mark.parametrize(
    ("filename", "content_type", "expected"),
    [
        ("report.csv", None, "text/csv; charset=utf-8"),
        ("report.csv", "text/x-report", "text/x-report"),
        ("report", None, "text/plain; charset=utf-8"),
        (None, None, "text/plain; charset=utf-8"),
    ],
)
def test_a_file_has_the_type_of_the_name_that_the_client_sees(
    tmp_path: Path, filename: str | None, content_type: str | None, expected: str
) -> None:
    (tmp_path / "stored.txt").write_text("a,b")
    app = Slime(__file__)

    @app.route("/")
    def send(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.file(tmp_path / "stored.txt", filename, content_type)

    with TestClient(app) as client:
        answer = client.get("/")
        assert (answer.text, answer.header_all("content-type")) == ("a,b", [expected])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda req, resp: resp.set_status("404"), "the status is a str, '404', not a number"),
        (lambda req, resp: resp.set_status(True), "the status is a bool, True, not a number"),
        (lambda req, resp: resp.plain("x", status="404"), "the status is a str, '404', not a number"),
        (lambda req, resp: resp.plain(b"x"), "the body is a bytes, b'x', not a str: decode it, or use resp.bytes"),
        (lambda req, resp: resp.html({"a": 1}), "not a str: use resp.json"),
        (lambda req, resp: resp.redirect(1), "resp.redirect: the location is an int, 1, not a str"),
        (lambda req, resp: resp.remove_header(1), "the name is an int, 1, not a str"),
        (lambda req, resp: req.header.get(b"a"), "the name is a bytes, b'a', not a str: decode it"),
        (lambda req, resp: req.header_all(1), "req.header_all: the name is an int, 1, not a str"),
        (lambda req, resp: req.query_all(1), "req.query_all: the name is an int, 1, not a str"),
    ],
)
def test_arguments_of_the_wrong_type_are_told_with_what_to_write(call: Callable[..., Any], message: str) -> None:
    app = Slime(__file__)

    @app.route("/")
    def told(req: SlimeRequest, resp: SlimeResponse) -> str:
        with pytest.raises(TypeError, match=re.escape(message)):
            call(req, resp)
        return "told"

    with TestClient(app) as client:
        assert client.get("/").text == "told"
