"""What other plugins say about the document, by the hooks of slimeweb-docs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from slimeweb import BodySchema, RouteOption, RouteSpec, Slime, SlimeResponseType, SlimeSchema, hookimpl
from slimeweb.errors import PluginError
from slimeweb.testing import TestClient

Look = Callable[[Slime], dict[str, Any]]


@dataclass
class Problem:
    title: str


class Jwt:
    """What a plugin for bearer tokens says."""

    @hookimpl
    def slime_route_options(self) -> list[RouteOption]:
        return [RouteOption("jwt", default=False)]

    @hookimpl(optionalhook=True)
    def slime_docs_document(self) -> dict[str, Any]:
        return {"components": {"securitySchemes": {"jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}}}

    @hookimpl(optionalhook=True)
    def slime_docs_operation(self, route: RouteSpec) -> dict[str, Any] | None:
        if not route.options["jwt"]:
            return None
        refusal = {
            "description": "No valid token",
            "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
            "content": {"application/problem+json": {"schema": Problem}},
        }
        return {"security": [{"jwt": []}], "responses": {401: refusal}}


def returning(value: Any) -> Callable[[], Any]:
    return lambda: value


def plugin(name: str, **hooks: Any) -> Any:
    """A plugin whose hooks are these functions, or return these values."""
    functions = {hook: value if callable(value) else returning(value) for hook, value in hooks.items()}
    return SimpleNamespace(
        name=name, **{hook: hookimpl(optionalhook=True)(function) for hook, function in functions.items()}
    )


def saying(name: str, **operation: Any) -> Any:
    """A plugin that says something about every operation."""
    return plugin(name, slime_docs_operation=operation)


def handler(req: Any, resp: Any) -> Any:
    return resp.plain("hello")


def of(look: Look, *plugins: Any, path: str = "/", **options: Any) -> dict[str, Any]:
    """The one operation of an application with some plugins."""
    app = Slime(__file__, plugins=plugins)
    app.route(path, **options)(handler)
    (operation,) = look(app).values()
    found: dict[str, Any] = operation
    return found


def test_a_plugin_adds_a_scheme_of_security_and_the_answer_of_its_guard(document_of: Look) -> None:
    app = Slime(__file__, plugins=[Jwt()])
    app.route("/mine", jwt=True)(handler)
    app.route("/all")(lambda req, resp: None)
    document = document_of(app)
    assert document["components"]["securitySchemes"]["jwt"]["scheme"] == "bearer"
    assert document["components"]["schemas"]["Problem"]["required"] == ["title"]
    mine, everyones = document["paths"]["/mine"]["get"], document["paths"]["/all"]["get"]
    assert mine["security"] == [{"jwt": []}]
    assert list(mine["responses"]) == ["200", "401", "default"]
    assert mine["responses"]["401"] == {
        "description": "No valid token",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    assert "security" not in everyones
    assert list(everyones["responses"]) == ["200", "default"]


def test_a_plugin_that_describes_itself_works_without_slimeweb_docs() -> None:
    app = Slime(__file__, plugins=[Jwt()], without=["docs"])
    app.route("/", jwt=True)(handler)
    with TestClient(app, dev=True) as client:
        assert client.get("/").text == "hello"
        assert client.get("/openapi.json").status_code == 404


def test_a_hook_is_asked_for_each_method_with_the_route_as_it_was_declared(document_of: Look) -> None:
    asked = []

    def operation(app: Slime, route: RouteSpec, method: str) -> None:
        asked.append((app, route, method))

    app = Slime(__file__, plugins=[plugin("P", slime_docs_operation=operation)])
    app.route("/", method=["GET", "POST"])(handler)
    document_of(app)
    assert asked == [(app, app.routes[0], "GET"), (app, app.routes[0], "POST")]


def test_what_several_plugins_say_is_one(operations_of: Look) -> None:
    limit = {"X-Limit": {"schema": {"type": "integer"}}}
    trace = {"in": "header", "name": "Trace", "schema": {"type": "string"}}
    operation = of(
        operations_of,
        saying("A", tags=["a"], responses={"200": {"headers": limit}, "429": {"headers": limit}}, parameters=[trace]),
        saying(
            "B", tags=["a", "b"], responses={"429": {"description": "Later"}}, servers=[{"url": "https://b.example"}]
        ),
        saying("C", parameters=[{"in": "header", "name": "Trace", "description": "Of a trace"}], deprecated=True),
    )
    assert operation["tags"] == ["a", "b"]
    assert operation["responses"]["200"] == {"description": "The handler's answer", "headers": limit}
    assert operation["responses"]["429"] == {"description": "Later", "headers": limit}
    assert operation["parameters"] == [{**trace, "description": "Of a trace"}]
    assert operation["servers"] == [{"url": "https://b.example"}]
    assert operation["deprecated"] is True


def test_a_response_without_a_description_gets_that_of_its_status(operations_of: Look) -> None:
    responses = of(operations_of, saying("P", responses={429: {}, "5XX": {}}))["responses"]
    assert (responses["429"]["description"], responses["5XX"]["description"]) == ("Too Many Requests", "An answer")


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ([{"a": []}], [{"b": []}], [{"a": [], "b": []}]),
        ([{"a": []}, {}], [{"b": []}], [{"a": [], "b": []}, {"b": []}]),
        ([{"a": ["read"]}], [{"a": ["write"]}], [{"a": ["read", "write"]}]),
        ([{"a": []}], [{"a": []}], [{"a": []}]),
        ([], [{"b": []}], [{"b": []}]),
    ],
)
def test_security_of_several_plugins_has_to_be_met_all(
    operations_of: Look, one: list[Any], other: list[Any], both: list[Any]
) -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "Key"}
    schemes = plugin("S", slime_docs_document={"components": {"securitySchemes": {"a": scheme, "b": scheme}}})
    assert of(operations_of, schemes, saying("A", security=one), saying("B", security=other))["security"] == both


def test_what_the_application_says_counts_over_plugins(document_of: Look) -> None:
    said = saying(
        "P",
        summary="theirs",
        description="theirs",
        tags=["theirs"],
        requestBody={"content": {"application/json": {"schema": {"type": "string"}}, "text/csv": {}}},
        responses={"200": {"description": "A list", "content": {"application/msgpack": {}}}},
        parameters=[
            {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}, "description": "Its id"}
        ],
    )
    app = Slime(__file__, plugins=[said])
    app.docs(
        "mine",
        "mine",
        response_type=SlimeResponseType.PlainResponse,
        tags=["mine"],
        schema=SlimeSchema(body=BodySchema(int)),
    )(app.route("/{id:int}", method="POST")(handler))
    operation = document_of(app)["paths"]["/{id}"]["post"]
    assert (operation["summary"], operation["description"]) == ("mine", "mine")
    assert operation["tags"] == ["mine", "theirs"]
    content = operation["requestBody"]["content"]
    assert content == {"application/json": {"schema": {"type": "integer"}}, "text/csv": {}}
    assert operation["responses"]["200"]["description"] == "A list"
    assert set(operation["responses"]["200"]["content"]) == {"text/plain", "application/msgpack"}
    assert operation["parameters"] == [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}, "description": "Its id"}
    ]


def test_what_plugins_say_counts_over_guesses(document_of: Look) -> None:
    def guessed(req: Any, resp: Any) -> dict[str, Any]:
        return {"name": req.validate(Problem).title}

    there = saying(
        "P",
        summary="A name",
        requestBody=None,
        tags=["names"],
        responses={"200": {"content": {"application/msgpack": {}}}},
    )
    app = Slime(__file__, plugins=[there])
    guessed.__module__ = "slimeweb.testing"
    app.route("/", method="POST")(guessed)
    document = document_of(app)
    operation = document["paths"]["/"]["post"]
    assert (operation["summary"], operation["tags"]) == ("A name", ["names"])
    assert document["tags"] == [{"name": "names"}]
    assert "requestBody" not in operation
    assert operation["responses"]["200"]["content"] == {"application/msgpack": {}}
    assert "schemas" not in document.get("components", {})


def test_a_plugin_takes_away_an_answer_that_there_is_not(operations_of: Look) -> None:
    responses = of(operations_of, saying("P", responses={"200": None, 204: {}}))["responses"]
    assert list(responses) == ["204", "default"]


def test_head_has_no_content_of_plugins_either(operations_of: Look) -> None:
    said = saying("P", responses={"200": {"content": {"text/plain": {}}}})
    assert "content" not in of(operations_of, said, method="HEAD")["responses"]["200"]


def test_the_document_gets_servers_tags_and_more_of_info(document_of: Look) -> None:
    app = Slime(
        __file__,
        plugins=[
            plugin(
                "A", slime_docs_document={"servers": [{"url": "/v1"}], "tags": [{"name": "pets", "description": "All"}]}
            ),
            plugin("B", slime_docs_document={"servers": [{"url": "/v1", "description": "First"}], "x-b": [1]}),
            plugin("C", slime_docs_document={"info": {"license": {"name": "MIT"}}}),
        ],
    )
    app.docs(tags=["pets", "more"])(app.route("/")(handler))
    document = document_of(app)
    assert document["servers"] == [{"url": "/v1", "description": "First"}]
    assert document["tags"] == [{"name": "pets", "description": "All"}, {"name": "more"}]
    assert document["info"] == {"title": "test_contributions", "version": "0.1.0", "license": {"name": "MIT"}}
    assert document["x-b"] == [1]


def test_a_schema_of_a_plugin_keeps_its_name_before_a_class_of_that_name(document_of: Look) -> None:
    theirs = {"components": {"schemas": {"Problem": {"type": "string"}}}}
    app = Slime(__file__, plugins=[plugin("P", slime_docs_document=theirs)])
    app.docs(schema=SlimeSchema(response=Problem))(app.route("/")(handler))
    schemas = document_of(app)["components"]["schemas"]
    assert schemas["Problem"] == {"type": "string"}
    assert schemas["Problem_2"]["required"] == ["title"]


CONFLICTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"summary": "one"}, {"summary": "two"}, r"summary 'two', where plugin 'A' says 'one'"),
    (
        {"responses": {"401": {"description": "No"}}},
        {"responses": {"401": {"description": "Not you"}}},
        r"responses\.401\.description 'Not you', where plugin 'A' says 'No'",
    ),
    ({"responses": {"200": None}}, {"responses": {"200": {}}}, r"responses\.200 {}, where plugin 'A' says None"),
    (
        {"parameters": [{"in": "query", "name": "n", "schema": {"enum": [1]}}]},
        {"parameters": [{"in": "query", "name": "n", "schema": {"enum": [2]}}]},
        r"parameters\.query n\.schema\.enum \[2\], where plugin 'A' says \[1\]",
    ),
]


@pytest.mark.parametrize(("one", "other", "message"), CONFLICTS)
def test_plugins_that_do_not_agree_about_an_operation_are_named(
    operations_of: Look, one: dict[str, Any], other: dict[str, Any], message: str
) -> None:
    with pytest.raises(PluginError, match=f"plugin 'B': the operation GET / has {message}") as failure:
        of(operations_of, saying("A", **one), saying("B", **other))
    assert failure.value.plugin == "B"


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"info": {"title": "theirs"}}, r"has info\.title 'theirs', where the application says 'test_contributions'"),
        ({"security": [{"jwt": []}]}, r"the document has no field 'security'"),
        ({"servers": {"url": "/"}}, r"the document has servers .*, which is no servers of OpenAPI 3\.1"),
    ],
)
def test_what_does_not_fit_the_document_is_named(document_of: Look, part: dict[str, Any], message: str) -> None:
    app = Slime(__file__, plugins=[plugin("P", slime_docs_document=part)])
    with pytest.raises(PluginError, match=f"plugin 'P': .*{message}"):
        document_of(app)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"respones": {}}, r"the operation GET / has no field 'respones': did you mean 'responses'\?"),
        ({"operationId": "x"}, r"has no field 'operationId'"),
        ({"responses": {"401": "No"}}, r"has responses .*, which is no responses of OpenAPI 3\.1"),
        ({"parameters": [{"name": "n"}]}, r"has parameters .*, which is no parameters of"),
        ({"security": ["jwt"]}, r"has security \['jwt'\], which is no security of"),
        ({"security": [{"jwt": []}]}, r"has security 'jwt', which is none of components\.securitySchemes"),
        ({"x-when": {"at": {1, 2}}}, r"has x-when\.at {1, 2}, which JSON does not have"),
        (
            {"responses": {"200": {"content": {"application/json": {"schema": complex}}}}},
            r"has responses\.200\.content\.application/json\.schema <class 'complex'>: complex has no JSON form",
        ),
    ],
)
def test_what_does_not_fit_an_operation_is_named(operations_of: Look, part: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=f"plugin 'P': .*{message}"):
        of(operations_of, plugin("P", slime_docs_operation=part))


@pytest.mark.parametrize(
    ("hook", "value", "message"),
    [
        ("slime_docs_operation", ["x"], r"slime_docs_operation returned \['x'\]: return a Mapping"),
        ("slime_docs_document", "x", r"slime_docs_document returned 'x': return a Mapping"),
        ("slime_docs_hides", "x", r"slime_docs_hides returned 'x': return a bool"),
    ],
)
def test_a_value_of_another_type_is_named(operations_of: Look, hook: str, value: Any, message: str) -> None:
    with pytest.raises(PluginError, match=f"plugin 'P': {message}"):
        of(operations_of, plugin("P", **{hook: value}))


def test_a_hook_that_raises_ends_the_start_and_is_named() -> None:
    def broken() -> None:
        raise OSError("no such thing")

    app = Slime(__file__, plugins=[plugin("P", slime_docs_document=broken)])
    with (
        pytest.raises(
            PluginError, match=r"plugin 'P' failed in slime_docs_document: OSError: no such thing"
        ) as failure,
        TestClient(app, docs=True),
    ):
        pass
    assert isinstance(failure.value.__cause__, OSError)
    with TestClient(app) as client:
        assert client.get("/openapi.json").status_code == 404


class Pages:
    """A plugin with routes of its own, one of which nobody is to read about."""

    @hookimpl
    def slime_routes(self) -> list[RouteSpec]:
        return [
            RouteSpec.declare("/health", handler, options={"jwt": True}),
            RouteSpec.declare("/secret", lambda req, resp: resp.plain("secret")),
        ]

    @hookimpl(optionalhook=True)
    def slime_docs_hides(self, route: RouteSpec) -> bool:
        return route.path == "/secret"


def test_routes_of_plugins_are_listed_while_the_application_is_served() -> None:
    app = Slime(__file__, plugins=[Pages(), Jwt()])
    app.route("/")(lambda req, resp: None)
    assert set(app.docs.document()["paths"]) == {"/"}
    with TestClient(app, docs=True) as client:
        document = client.get("/openapi.json").json()
        assert client.get("/secret").text == "secret"
        assert document == app.docs.document()
    assert set(document["paths"]) == {"/", "/health"}
    # The route's options are as complete as those of the application's own.
    assert document["paths"]["/health"]["get"]["security"] == [{"jwt": []}]


def test_the_application_hides_a_route(document_of: Look) -> None:
    app = Slime(__file__)
    app.docs(hidden=True)(app.route("/secret")(handler))
    app.route("/")(lambda req, resp: None)
    assert set(document_of(app)["paths"]) == {"/"}
