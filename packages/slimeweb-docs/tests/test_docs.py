"""`@app.docs`, and the document that comes of routes and what is said about them."""

from __future__ import annotations

import functools
import json
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from pydantic import BaseModel, Field

from slimeweb import (
    BodySchema,
    QuerySchema,
    Slime,
    SlimeResponse,
    SlimeResponseType,
    SlimeSchema,
)
from slimeweb.errors import ConfigError, InvalidHandler, PluginError
from slimeweb.testing import TestClient

Kind = SlimeResponseType

Look = Callable[[Slime], dict[str, Any]]


class SubItem:
    is_item: bool
    how_long: int


class User:
    name: str
    age: float
    sub: dict[str, SubItem]


@dataclass
class Point:
    x: int


class Row(TypedDict):
    cells: list[str]


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)


def handler(req: Any, resp: Any) -> Any:
    return resp.plain("hello")


def test_the_readme_example(document_of: Look, app: Slime) -> None:
    @app.docs(
        title="just checking",
        description="Simple landing page",
        response_type=SlimeResponseType.PlainResponse,
        schema=SlimeSchema(body=BodySchema(schema_name=User), query=[QuerySchema(name="name", type=str)]),
    )
    @app.route("/", method=["GET", "POST"])
    def land(req: Any, resp: Any) -> None:
        pass

    document = document_of(app)
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "test_docs", "version": "0.1.0"}
    get, post = document["paths"]["/"]["get"], document["paths"]["/"]["post"]
    for operation in (get, post):
        assert (operation["summary"], operation["description"]) == ("just checking", "Simple landing page")
        assert operation["parameters"] == [
            {"name": "name", "in": "query", "required": True, "schema": {"type": "string"}}
        ]
        assert list(operation["responses"]["200"]["content"]) == ["text/plain"]
    assert post["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}},
    }
    # A browser sends no body with a GET: one that is documented could not be tried out.
    assert "requestBody" not in get
    assert set(document["components"]["schemas"]) == {"User", "SubItem"}


def test_an_application_without_routes(document_of: Look, app: Slime) -> None:
    assert document_of(app)["paths"] == {}


def test_the_application_can_be_described(document_of: Look, app: Slime) -> None:
    app.docs.about(title="Shop", description="All about *pets*")
    app.docs.about(version="2.1")
    assert document_of(app)["info"] == {"title": "Shop", "version": "2.1", "description": "All about *pets*"}


def test_a_route_that_nothing_is_said_about_is_listed(document_of: Look, app: Slime) -> None:
    @app.route("/pets/{id:int}/photos/{*rest}")
    def all_photos(req: Any, resp: Any) -> Any:
        """Photos of a pet.

        The newest first.
        """

    operation = document_of(app)["paths"]["/pets/{id}/photos/{rest}"]["get"]
    assert operation["operationId"] == "all_photos"
    assert operation["summary"] == "Photos of a pet"
    assert operation["description"] == "The newest first."
    assert [(each["name"], each["in"], each["schema"]) for each in operation["parameters"]] == [
        ("id", "path", {"type": "integer"}),
        ("rest", "path", {"type": "string"}),
    ]
    assert set(operation["responses"]) == {"200", "default"}


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("str", {"type": "string", "minLength": 1}),
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("uuid", {"type": "string", "format": "uuid"}),
        ("path", {"type": "string"}),
    ],
)
def test_parameters_of_the_path(operations_of: Look, app: Slime, kind: str, schema: dict[str, str]) -> None:
    app.route(f"/{{value:{kind}}}")(handler)
    (parameter,) = operations_of(app)["handler"]["parameters"]
    assert (parameter["schema"], parameter["required"]) == (schema, True)


def test_a_name_stands_in_for_a_title(operations_of: Look, app: Slime) -> None:
    app.route("/a")(handler)
    app.route("/b/{id}")(lambda req, resp: None)
    operations = operations_of(app)
    assert operations["handler"]["summary"] == "Handler"
    assert "get_b_id" in operations


def test_a_partial_is_known_by_its_function(app: Slime, operations_of: Look) -> None:
    part = functools.partial(returning(str))
    app.docs(description="in part")(app.route("/")(part))
    (operation,) = operations_of(app).values()
    assert (operation["operationId"], operation["summary"]) == ("returns", "Returns")
    assert operation["description"] == "in part"
    assert "tags" not in operation


def test_operation_ids_are_unique(operations_of: Look, app: Slime) -> None:
    for path in ("/a", "/b"):
        app.route(path, method=["GET", "POST"])(handler)
        app.route(path, method="PUT")(handler)
    assert list(operations_of(app)) == [
        *("handler_get", "handler_post", "handler"),
        *("handler_get_2", "handler_post_2", "handler_2"),
    ]


def test_any_method_is_the_usual_ones(document_of: Look, app: Slime) -> None:
    app.route("/", method="*")(handler)
    assert set(document_of(app)["paths"]["/"]) == {"get", "post", "put", "patch", "delete"}


def test_a_method_that_openapi_does_not_know_is_kept(document_of: Look, app: Slime) -> None:
    app.route("/", method=["GET", "PROPFIND"])(handler)
    item = document_of(app)["paths"]["/"]
    assert set(item) == {"get", "x-other-methods"}
    assert set(item["x-other-methods"]) == {"PROPFIND"}


def test_tags(document_of: Look, app: Slime, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    module = types.ModuleType("shop.pets")
    module.__file__ = str(tmp_path / "pets.py")
    monkeypatch.setitem(sys.modules, "shop.pets", module)

    def elsewhere(req: Any, resp: Any) -> None:
        pass

    elsewhere.__module__ = "shop.pets"
    app.route("/mine")(handler)
    app.route("/theirs")(elsewhere)
    app.docs(tags=["people", "admin"])(app.route("/said")(lambda req, resp: None))
    tags = {path: item["get"].get("tags") for path, item in document_of(app)["paths"].items()}
    assert tags == {"/mine": None, "/theirs": ["pets"], "/said": ["people", "admin"]}
    assert document_of(app)["tags"] == [{"name": "pets"}, {"name": "people"}, {"name": "admin"}]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Kind.PlainResponse, {"text/plain": {"schema": {"type": "string"}}}),
        (Kind.JsonResponse, {"application/json": {}}),
        (Kind.JSON, {"application/json": {}}),
        (Kind.HTMLResponse, {"text/html": {"schema": {"type": "string"}}}),
        (Kind.CsvResponse, {"text/csv": {"schema": {"type": "string"}}}),
        (Kind.XmlResponse, {"application/xml": {}}),
        (Kind.BinaryResponse, {"application/octet-stream": {}}),
        (Kind.StreamResponse, {"application/octet-stream": {}}),
        (None, {"application/json": {}}),
    ],
)
def test_kinds_of_responses(
    operations_of: Look, app: Slime, kind: SlimeResponseType | None, content: dict[str, Any]
) -> None:
    app.docs(response_type=kind)(app.route("/")(handler))
    assert operations_of(app)["handler"]["responses"]["200"]["content"] == content


def test_a_websocket_that_is_documented_as_one(operations_of: Look, app: Slime) -> None:
    app.docs(response_type=Kind.WebSocketResponse)(app.route("/")(handler))
    assert set(operations_of(app)["handler"]["responses"]) == {"101", "426", "default"}


def returning(annotation: Any) -> Any:
    def returns(req: Any, resp: Any) -> Any:
        return None

    returns.__annotations__["return"] = annotation
    return returns


NOTHING_KNOWN: list[Any] = [Any, None, SlimeResponse, SlimeResponse | None, Point | SlimeResponse, bytes, object, int]


@pytest.mark.parametrize("annotation", NOTHING_KNOWN, ids=repr)
def test_a_return_annotation_that_does_not_tell_the_body(operations_of: Look, app: Slime, annotation: Any) -> None:
    app.route("/")(returning(annotation))
    assert "content" not in operations_of(app)["returns"]["responses"]["200"]


@pytest.mark.parametrize(
    ("annotation", "content"),
    [
        (str, {"text/plain": {"schema": {"type": "string"}}}),
        (dict[str, Any], {"application/json": {"schema": {"type": "object"}}}),
        (list[int], {"application/json": {"schema": {"type": "array", "items": {"type": "integer"}}}}),
        (Point, {"application/json": {"schema": {"$ref": "#/components/schemas/Point"}}}),
        (Point | None, {"application/json": {"schema": {"$ref": "#/components/schemas/Point"}}}),
        (Row, {"application/json": {"schema": {"$ref": "#/components/schemas/Row"}}}),
        (
            Point | Row,
            {
                "application/json": {
                    "schema": {"anyOf": [{"$ref": "#/components/schemas/Point"}, {"$ref": "#/components/schemas/Row"}]}
                }
            },
        ),
        (
            "list[Point]",
            {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Point"}}}},
        ),
        (list[complex], {"application/json": {}}),
    ],
    ids=repr,
)
def test_a_return_annotation_that_tells_the_body(
    operations_of: Look, app: Slime, annotation: Any, content: dict[str, Any]
) -> None:
    app.route("/")(returning(annotation))
    assert operations_of(app)["returns"]["responses"]["200"]["content"] == content


def test_what_is_said_counts_over_the_annotation(document_of: Look, app: Slime) -> None:
    app.docs(schema=SlimeSchema(response=list[Point]))(app.route("/a")(returning(Row)))
    app.docs(response_type=Kind.PlainResponse)(app.route("/b")(returning(Row)))
    items = document_of(app)["paths"]
    (media,) = items["/a"]["get"]["responses"]["200"]["content"].values()
    assert media["schema"] == {"type": "array", "items": {"$ref": "#/components/schemas/Point"}}
    assert list(items["/b"]["get"]["responses"]["200"]["content"]) == ["text/plain"]


def test_head_has_no_content(operations_of: Look, app: Slime) -> None:
    app.docs(response_type=Kind.PlainResponse)(app.route("/", method="HEAD")(handler))
    assert "content" not in operations_of(app)["handler"]["responses"]["200"]


def test_query_parameters(operations_of: Look, app: Slime) -> None:
    query = [QuerySchema("page", int, required=False, description="from 1"), QuerySchema("tag", list[str])]
    app.docs(schema=SlimeSchema(query=query))(app.route("/")(handler))
    assert operations_of(app)["handler"]["parameters"] == [
        {
            "name": "page",
            "in": "query",
            "required": False,
            "schema": {"type": "integer"},
            "description": "from 1",
        },
        {"name": "tag", "in": "query", "required": True, "schema": {"type": "array", "items": {"type": "string"}}},
    ]


def test_a_body_that_is_no_json(operations_of: Look, app: Slime) -> None:
    body = BodySchema(Point, content_type="application/x-www-form-urlencoded", description="from the form")
    app.docs(schema=SlimeSchema(body=body))(app.route("/", method="POST")(handler))
    assert operations_of(app)["handler"]["requestBody"] == {
        "required": True,
        "description": "from the form",
        "content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Point"}}},
    }


def test_a_body_stays_where_no_method_of_the_route_usually_has_one(operations_of: Look, app: Slime) -> None:
    app.docs(schema=SlimeSchema(body=BodySchema(Point)))(app.route("/", method="DELETE")(handler))
    assert "requestBody" in operations_of(app)["handler"]


def test_one_handler_of_two_routes_is_documented_once(operations_of: Look, app: Slime) -> None:
    app.docs(title="both", deprecated=True)(app.route("/a")(app.route("/b")(handler)))
    operations = operations_of(app)
    assert [(each["summary"], each["deprecated"]) for each in operations.values()] == [("both", True)] * 2


def test_the_handler_is_returned_as_it_is(app: Slime) -> None:
    assert app.docs(title="x")(app.route("/")(handler)) is handler


def test_a_second_docs_on_a_route_is_refused(app: Slime) -> None:
    app.docs(title="one")(app.route("/there")(handler))
    with pytest.raises(ConfigError, match="the route /there has two docs"):
        app.docs(title="two")(handler)


def test_docs_below_route_says_where_it_belongs(app: Slime) -> None:
    with pytest.raises(InvalidHandler, match=r"put it above @app\.route"):
        app.route("/")(app.docs(title="x")(handler))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"response_type": "json"}, r"SlimeResponseType\.JsonResponse"),
        ({"schema": User}, r"use SlimeSchema"),
        ({"tags": "pets"}, r"use a list, \['pets'\]"),
    ],
)
def test_arguments_of_the_wrong_kind(app: Slime, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        app.docs(**arguments)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: BodySchema(schema_name=User()), TypeError),
        (lambda: BodySchema(schema_name="User"), TypeError),
        (lambda: QuerySchema(name="x", type=7), TypeError),
        (lambda: QuerySchema(name="", type=int), ValueError),
        (lambda: SlimeSchema(query=[str]), TypeError),  # type: ignore[list-item]
        (lambda: SlimeSchema(query=[QuerySchema("x"), QuerySchema("x")]), ValueError),
        (lambda: SlimeSchema(body=User), TypeError),  # type: ignore[arg-type]
        (lambda: SlimeSchema(response=3), TypeError),
    ],
)
def test_schemas_that_cannot_be_are_refused_at_their_line(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


def test_a_type_that_cannot_be_described_is_an_error_when_the_application_starts(app: Slime) -> None:
    app.docs(schema=SlimeSchema(body=BodySchema(list[complex])))(app.route("/", method="POST")(handler))
    with pytest.raises(PluginError, match="complex has no JSON form"), TestClient(app, dev=True):
        pass


class Endless(BaseModel):
    missing: float = float("nan")
    most: float = Field(float("inf"), ge=float("-inf"), le=10)
    several: list[float] = [float("nan"), 1.0]
    nested: dict[str, Any] = {"a": [float("inf")], "b": float("nan")}
    fine: float = Field(0.5, json_schema_extra={"examples": [float("nan"), 2]})


@dataclass
class EndlessToo:
    missing: float = float("nan")
    fine: float = 0.5


def test_numbers_that_json_does_not_have_are_left_out(app: Slime) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    @app.docs(schema=SlimeSchema(body=BodySchema(schema_name=Endless)))
    @app.route("/one", method="POST")
    def one(req: Any, resp: Any) -> None:
        pass

    @app.docs("half of a pair: \ud83d", schema=SlimeSchema(body=BodySchema(schema_name=EndlessToo)))
    @app.route("/two", method="POST")
    async def two(req: Any, resp: Any) -> None:
        pass

    with TestClient(app, dev=True) as client:
        document = json.loads(client.get("/openapi.json").content.decode(), parse_constant=refuse)
    schemas = document["components"]["schemas"]
    properties = schemas["Endless"]["properties"]
    assert "default" not in properties["missing"]
    assert "default" not in properties["most"]
    assert ("minimum" in properties["most"], properties["most"]["maximum"]) == (False, 10)
    assert properties["several"]["default"] == [None, 1.0]
    assert (properties["fine"]["default"], properties["fine"]["examples"]) == (0.5, [None, 2])
    assert "default" not in schemas["EndlessToo"]["properties"]["missing"]
    assert schemas["EndlessToo"]["properties"]["fine"]["default"] == 0.5


def test_docs_without_parentheses_is_refused(app: Slime) -> None:
    with pytest.raises(InvalidHandler, match=r"@app.docs needs parentheses above .*handler"):
        app.docs(handler)
