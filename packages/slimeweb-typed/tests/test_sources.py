"""Where the parameters of a typed handler come from."""

from __future__ import annotations

import datetime
import enum
import functools
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from slimeweb import Slime, SlimeFile, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from slimeweb_typed import ApiKey, Bearer, Body, Cookie, File, Form, Header, Query

if TYPE_CHECKING:
    from types import ModuleType as OnlyForCheckers


class User(BaseModel):
    name: str
    age: int = 1


@dataclass
class Point:
    x: int
    y: int


UUID = uuid.UUID(int=7)


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)


def test_the_example_of_the_design(app: Slime) -> None:
    @app.route("/users/{id}", method="POST")
    def show(
        id: int, user: User, token: Annotated[str, Bearer()], page: Annotated[int, Query(ge=1)] = 1
    ) -> dict[str, Any]:
        return {"id": id, "user": user.name, "token": token, "page": page}

    with TestClient(app) as client:
        me = {"Authorization": "bearer t"}
        answer = client.post("/users/7?page=3", json={"name": "ada"}, headers=me)
        assert answer.json() == {"id": 7, "user": "ada", "token": "t", "page": 3}
        assert client.post("/users/7", json={"name": "ada"}, headers=me).json()["page"] == 1


def test_a_coroutine_is_called_as_a_plain_function_is(app: Slime) -> None:
    @app.route("/{id}", method="POST")
    async def show(id: int, user: User, *, page: int = 1) -> dict[str, Any]:
        return {"id": id, "user": user.name, "page": page}

    with TestClient(app) as client:
        assert client.post("/7?page=2", json={"name": "ada"}).json() == {"id": 7, "user": "ada", "page": 2}
        assert client.post("/x", json={}).status_code == 422


@pytest.mark.parametrize(
    ("pattern", "path", "annotation", "value"),
    [
        ("{id}", "7", int, "7"),
        ("{id:int}", "7", int, "7"),
        ("{id:int}", "7", float, "7.0"),
        ("{id:int}", "7", None, "7"),
        ("{id:uuid}", str(UUID), uuid.UUID, repr(UUID)),
        ("{id}", "2026-01-02", datetime.date, "datetime.date(2026, 1, 2)"),
        ("{id}", "red", Colour, "<Colour.RED: 'red'>"),
        ("{*id}", "a/b", str, "'a/b'"),
    ],
)
def test_a_parameter_of_the_path_has_its_type(app: Slime, pattern: str, path: str, annotation: Any, value: str) -> None:
    def show(id: Any) -> str:
        return repr(id)

    show.__annotations__["id"] = annotation
    if annotation is None:
        del show.__annotations__["id"]
    app.route(f"/{pattern}")(show)
    with TestClient(app) as client:
        assert client.get(f"/{path}").text == value


def test_scalars_and_lists_of_them_are_of_the_query(app: Slime) -> None:
    @app.route("/")
    def show(
        tag: list[str],
        number: set[int],
        colour: Colour,
        size: Literal[1, 2] = 1,
        day: datetime.date | None = None,
        limit=10,  # type: ignore[no-untyped-def]
        on: bool = False,
    ) -> str:
        return repr((tag, sorted(number), colour.value, size, day, limit, on))

    with TestClient(app) as client:
        answer = client.get("/?tag=a&tag=b&number=1&number=2&colour=red&size=2&day=2026-01-02&limit=3&on=yes")
        assert answer.text == "(['a', 'b'], [1, 2], 'red', 2, datetime.date(2026, 1, 2), 3, True)"
        assert client.get("/?tag=a&number=1&colour=red").text == "(['a'], [1], 'red', 1, None, 10, False)"


def test_headers_and_cookies(app: Slime) -> None:
    @app.route("/")
    def show(
        user_agent: Annotated[str, Header()],
        number: Annotated[int, Header("X-Number")],
        via: Annotated[list[str], Header()],
        theme: Annotated[str, Cookie()],
        missing: Annotated[int | None, Cookie()],
    ) -> list[Any]:
        return [user_agent, number, via, theme, missing]

    with TestClient(app) as client:
        headers = [("User-Agent", "me"), ("X-Number", "3"), ("Via", "a"), ("Via", "b"), ("Cookie", "theme=dark")]
        assert client.get("/", headers=headers).json() == ["me", 3, ["a", "b"], "dark", None]


def test_fields_and_files_of_a_form(app: Slime) -> None:
    @app.route("/", method="POST")
    def show(
        title: Annotated[str, Form()],
        tag: Annotated[list[int], Form("tags")],
        picture: SlimeFile,
        others: Annotated[list[SlimeFile], File("other")],
        thumb: SlimeFile | None,
    ) -> list[Any]:
        return [title, tag, picture.original_filename, [each.original_filename for each in others], thumb]

    with TestClient(app) as client:
        files = [("picture", ("p.png", b"1")), ("other", ("a.png", b"2")), ("other", ("b.png", b"3"))]
        answer = client.post("/", data={"title": "t", "tags": ["1", "2"]}, files=files)
        assert answer.json() == ["t", [1, 2], "p.png", ["a.png", "b.png"], None]
        wrong = client.post("/", data={"tags": "x"})
        assert [each["loc"] for each in wrong.json()["errors"]] == [["title"], ["tags", 0], ["picture"], ["other"]]


@pytest.mark.parametrize(
    ("annotation", "body", "shown"),
    [
        (User, {"name": "ada"}, "User(name='ada', age=1)"),
        (Point, {"x": 1, "y": 2}, "Point(x=1, y=2)"),
        (dict, {"a": 1}, "{'a': 1}"),
        (dict[str, int], {"a": "1"}, "{'a': 1}"),
        (list[User], [{"name": "ada"}], "[User(name='ada', age=1)]"),
        (list[dict[str, int]], [{"a": 1}], "[{'a': 1}]"),
        (User | Point, {"x": 1, "y": 2}, "Point(x=1, y=2)"),
        (Annotated[int, Body()], 3, "3"),
        (Annotated[list[int], Body()], [3], "[3]"),
    ],
    ids=str,
)
def test_a_model_a_dict_or_a_list_of_models_is_the_body(app: Slime, annotation: Any, body: Any, shown: str) -> None:
    def show(data: Any) -> str:
        return repr(data)

    show.__annotations__["data"] = annotation
    app.route("/", method="POST")(show)
    with TestClient(app) as client:
        assert client.post("/", json=body).text == shown


def test_a_form_is_read_as_a_model(app: Slime) -> None:
    @app.route("/", method="POST")
    def show(user: Annotated[User, Form()]) -> str:
        return repr(user)

    with TestClient(app) as client:
        assert client.post("/", data={"name": "ada", "age": "3"}).text == "User(name='ada', age=3)"


def test_a_body_that_may_be_absent(app: Slime) -> None:
    @app.route("/", method="POST")
    def show(user: User | None) -> str:
        return repr(user)

    @app.route("/default", method="POST")
    def default(user: User = User(name="nobody")) -> str:  # noqa: B008
        return user.name

    with TestClient(app) as client:
        assert client.post("/").text == "None"
        assert client.post("/", json={"name": "ada"}).text == "User(name='ada', age=1)"
        assert client.post("/", json={}).status_code == 422
        assert client.post("/default").text == "nobody"


def test_request_and_response_by_name_and_by_type(app: Slime) -> None:
    @app.route("/{id}")
    def by_name(id: int, req, resp):  # type: ignore[no-untyped-def]
        return resp.plain(f"{req.method} {id}", status=201)

    @app.route("/{id}/type")
    def by_type(id: int, request: SlimeRequest, answer: SlimeResponse) -> SlimeResponse:
        return answer.plain(f"{request.method} {id}", status=202)

    with TestClient(app) as client:
        answer = client.get("/3")
        assert (answer.status_code, answer.text) == (201, "GET 3")
        answer = client.get("/3/type")
        assert (answer.status_code, answer.text) == (202, "GET 3")


def test_a_handler_of_nothing(app: Slime) -> None:
    app.route("/")(lambda: {"ok": True})
    with TestClient(app) as client:
        assert client.get("/").json() == {"ok": True}


def test_methods_partials_and_objects_are_handlers(app: Slime) -> None:
    class Pages:
        def show(self, id: int) -> str:
            return f"method {id}"

        def __call__(self, id: int) -> str:
            return f"object {id}"

    def more(id: int, text: str) -> str:
        return f"{text} {id}"

    app.route("/method/{id}")(Pages().show)
    app.route("/object/{id}")(Pages())
    app.route("/partial/{id}")(functools.partial(more, text="partial"))
    with TestClient(app) as client:
        assert [client.get(f"/{each}/1").text for each in ("method", "object")] == ["method 1", "object 1"]
        assert client.get("/partial/1?text=query").text == "query 1"
        assert client.get("/partial/1").text == "partial 1"


def test_one_handler_on_two_paths_has_each_ones_parameters(app: Slime) -> None:
    def show(id: int, page: int = 1) -> str:
        return f"{id} {page}"

    app.route("/{id}")(show)
    app.route("/{id}/{page}")(show)
    with TestClient(app) as client:
        assert client.get("/1?page=2").text == "1 2"
        assert client.get("/1/3?page=2").text == "1 3"


def test_limits_of_any_parameter_are_pydantics(app: Slime) -> None:
    @app.route("/{id}")
    def show(id: Annotated[int, Field(ge=10)]) -> str:
        return str(id)

    with TestClient(app) as client:
        assert client.get("/10").text == "10"
        assert client.get("/9").json()["errors"][0]["type"] == "greater_than_equal"


def test_annotations_name_what_is_in_the_function_that_declares_the_route(app: Slime) -> None:
    class Local(BaseModel):
        n: int

    @app.route("/{size}", method="POST")
    def show(data: Local, size: Size, more: list[Colour]) -> Later:  # type: ignore[name-defined]
        return Later(text=f"{data.n} {size} {more[0].value}")

    class Later(BaseModel):
        text: str

    Size = int
    with TestClient(app) as client:
        assert client.post("/3?more=red", json={"n": 1}).json() == {"text": "1 3 red"}


def test_an_annotation_for_checkers_alone_is_of_no_use_to_a_parameter(app: Slime) -> None:
    from slimeweb_typed import ParameterError

    @app.route("/")
    def show(thing: OnlyForCheckers) -> str:
        return ""

    with pytest.raises(ParameterError, match=r"'thing' .* comes from nowhere: its annotation 'OnlyForCheckers'"):
        TestClient(app).__enter__()


@pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])
def test_bearer_tokens(app: Slime, required: bool) -> None:
    if required:

        @app.route("/")
        def show(token: Annotated[str, Bearer()]) -> str:
            return token
    else:

        @app.route("/")
        def show_optional(token: Annotated[str | None, Bearer()]) -> str:
            return str(token)

    with TestClient(app) as client:
        assert client.get("/", headers={"Authorization": "BEARER a.b"}).text == "a.b"
        for headers in ({}, {"Authorization": "Basic a.b"}, {"Authorization": "Bearer "}):
            answer = client.get("/", headers=headers)
            if required:
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            else:
                assert answer.text == "None"


def test_api_keys(app: Slime) -> None:
    @app.route("/")
    def show(
        key: Annotated[str, ApiKey()],
        of_query: Annotated[str | None, ApiKey(query="key")],
        of_cookie: Annotated[str | None, ApiKey(cookie="key")],
    ) -> list[str | None]:
        return [key, of_query, of_cookie]

    with TestClient(app) as client:
        assert client.get("/", headers={"X-API-Key": "a"}).json() == ["a", None, None]
        answer = client.get("/?key=b", headers={"X-API-Key": "a", "Cookie": "key=c"})
        assert answer.json() == ["a", "b", "c"]
        assert client.get("/?key=b").status_code == 401
