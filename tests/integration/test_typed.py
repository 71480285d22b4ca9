"""Typed handlers with other plugins: streams, WebSockets, and the OpenAPI document."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel
from websockets.sync.client import connect

from slimeweb import Slime, SlimeFile
from slimeweb.testing import TestClient
from support.extras import needs


@pytest.fixture
def app() -> Slime:
    for each in ("slimeweb-typed", "slimeweb-stream", "slimeweb-ws", "slimeweb-docs"):
        needs(each)
    return Slime(__file__)


class User(BaseModel):
    name: str


class UserOut(BaseModel):
    id: int
    name: str


def test_a_typed_handler_of_a_stream_gets_the_streams_response(app: Slime) -> None:
    @app.stream("/plain/{to:int}")
    def plain(to: int, resp, text: str = "x") -> None:  # type: ignore[no-untyped-def]
        resp.start_stream()
        for number in range(to):
            resp.send(f"{text}{number}")

    @app.stream("/coroutine/{to:int}")
    async def coroutine(to: int, resp, text: str = "x") -> None:  # type: ignore[no-untyped-def]
        resp.start_stream()
        for number in range(to):
            await resp.send(f"{text}{number}")

    with TestClient(app) as client:
        for kind in ("plain", "coroutine"):
            assert client.get(f"/{kind}/3?text=y").text == "y0y1y2"


def test_a_typed_handler_of_a_stream_gets_its_response_by_the_type(app: Slime) -> None:
    from slimeweb_stream import StreamResponse

    @app.stream("/{to:int}")
    def count(to: int, answer: StreamResponse) -> None:
        answer.start_stream()
        answer.send(str(to))

    with TestClient(app) as client:
        assert client.get("/3").text == "3"


def test_a_handler_of_a_request_and_a_kinds_response_is_called_with_both(app: Slime) -> None:
    from slimeweb_ws import WebSocketResponse

    @app.websocket("/echo")
    def echo(request, socket: WebSocketResponse) -> None:  # type: ignore[no-untyped-def]
        socket.on_message(lambda message: socket.send(f"{request.path} {message}"))

    @app.websocket("/typed/{name}")
    def typed(name: str, socket: WebSocketResponse, times: int = 1) -> None:
        socket.on_message(lambda message: socket.send(f"{name} {message}" * times))

    with TestClient(app) as client:
        for path, answer in (("/echo", "/echo hi"), ("/typed/ada?times=2", "ada hiada hi")):
            with connect(f"ws://127.0.0.1:{client.port}{path}") as connection:
                connection.send("hi")
                assert connection.recv(timeout=10) == answer
        assert client.get("/typed/ada?times=x").status_code in (422, 426)


@pytest.fixture
def document(app: Slime) -> dict[str, Any]:
    from slimeweb import ApiKey, Bearer, Form, Header, Query

    @app.route("/users/{id}", method="POST")
    def change(
        id: int,
        user: User,
        token: Annotated[str, Bearer(format="JWT")],
        page: Annotated[int, Query(ge=1, description="Which page")] = 1,
        tag: list[str] | None = None,
        user_agent: Annotated[str, Header()] = "",
    ) -> UserOut | None:
        """Changes a user."""

    @app.route("/photos", method="POST")
    async def photo(title: Annotated[str, Form()], file: SlimeFile) -> list[UserOut]:
        return []

    @app.route("/keys")
    def keys(key: Annotated[str | None, ApiKey("X-Key")]) -> dict[str, int]:
        return {}

    @app.route("/usual")
    def usual(req, resp):  # type: ignore[no-untyped-def]
        return "usual"

    document: dict[str, Any] = app.docs.document()
    if importlib.util.find_spec("openapi_spec_validator"):
        from openapi_spec_validator import OpenAPIV31SpecValidator

        OpenAPIV31SpecValidator(document).validate()
    return document


def test_the_document_has_parameters_with_their_types_and_limits(document: dict[str, Any]) -> None:
    operation = document["paths"]["/users/{id}"]["post"]
    assert operation["summary"] == "Changes a user"
    parameters = {each["name"]: each for each in operation["parameters"]}
    assert parameters["id"] == {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    page = parameters["page"]
    assert (page["in"], page["required"], page["description"]) == ("query", False, "Which page")
    assert page["schema"] == {"type": "integer", "minimum": 1, "default": 1}
    assert parameters["tag"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert (parameters["user-agent"]["in"], parameters["user-agent"]["required"]) == ("header", False)


def test_the_document_has_bodies(document: dict[str, Any]) -> None:
    body = document["paths"]["/users/{id}"]["post"]["requestBody"]
    assert body == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}},
    }
    form = document["paths"]["/photos"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["title", "file"]
    assert form["properties"]["file"] == {"type": "string", "format": "binary"}


def test_the_document_has_the_422_and_the_return_type(document: dict[str, Any]) -> None:
    responses = document["paths"]["/users/{id}"]["post"]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/UserOut"}
    assert {"204", "401", "422"} <= set(responses)
    assert list(responses["422"]["content"]) == ["application/problem+json"]
    listed = document["paths"]["/photos"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert listed == {"type": "array", "items": {"$ref": "#/components/schemas/UserOut"}}
    assert "422" not in document["paths"]["/usual"]["get"]["responses"]


def test_the_document_has_the_security(document: dict[str, Any]) -> None:
    assert document["paths"]["/users/{id}"]["post"]["security"] == [{"bearer": []}]
    assert document["paths"]["/keys"]["get"]["security"] == [{"apiKey": []}, {}]
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-Key"},
    }


def test_a_typed_handler_of_a_router_has_the_parameters_of_its_prefix(app: Slime) -> None:
    from slimeweb import Router

    router = Router("/users/{id:int}")

    class Local(BaseModel):
        n: int

    @router.route("/things/{name}", method="POST")
    def show(id: int, name: str, data: Local, page: int = 1) -> dict[str, Any]:
        return {"id": id, "name": name, "n": data.n, "page": page}

    app.include(router)
    app.include(router, prefix="/v2/{id:int}", name="v2")
    with TestClient(app) as client:
        expected = {"id": 7, "name": "x", "n": 3, "page": 2}
        for prefix in ("/users/7", "/v2/7"):
            assert client.post(f"{prefix}/things/x?page=2", json={"n": 3}).json() == expected


def test_typed_generators_are_streams(app: Slime) -> None:
    @app.stream("/plain/{to:int}")
    def plain(to: int, text: str = "x") -> Iterator[str]:
        for number in range(to):
            yield f"{text}{number}"

    @app.stream("/asynchronous/{to:int}")
    async def asynchronous(to: int, text: str = "x") -> AsyncIterator[str]:
        for number in range(to):
            yield f"{text}{number}"

    with TestClient(app) as client:
        for kind in ("plain", "asynchronous"):
            assert client.get(f"/{kind}/3?text=y").text == "y0y1y2"
            assert client.get(f"/{kind}/x").status_code == 404
