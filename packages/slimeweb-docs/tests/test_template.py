"""Paths of routes as OpenAPI can have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slimeweb import Slime

Look = Callable[[Slime], dict[str, Any]]


def handler(req: Any, resp: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("routes", "templates"),
    [
        ([("GET", "/a/{b}.json")], {"/a/{b}.json": {"get": ["b"]}}),
        ([("GET", "/{{a}}/{b}")], {"/%7Ba%7D/{b}": {"get": ["b"]}}),
        ([("GET", "/{*rest}")], {"/{rest}": {"get": ["rest"]}}),
        # One path with braces, one with their codes; the parameters' own names taken.
        ([("GET", "/{{a}}"), ("GET", "/%7Ba%7D")], {"/%7Ba%7D": {"get": []}, "/%7Ba%7D#2": {"get": []}}),
        (
            [("GET", "/u/{id:int}"), ("GET", "/u/{id_str:float}"), ("GET", "/u/{id}")],
            {
                "/u/{id}": {"get": ["id"]},
                "/u/{id_str}": {"get": ["id_str"]},
                "/u/{id_str_2}": {"get": ["id_str_2"]},
            },
        ),
        # The same path twice: one item, whose parameters have the names of the first.
        ([("GET", "/u/{id}"), ("POST", "/u/{name}")], {"/u/{id}": {"get": ["id"], "post": ["id"]}}),
        ([("GET", "/u/{id:int}"), ("PUT", "/u/{id}")], {"/u/{id}": {"get": ["id"], "put": ["id"]}}),
        # Two routes that kinds alone keep apart.
        ([("GET", "/u/{id:int}"), ("GET", "/u/{name}")], {"/u/{id}": {"get": ["id"]}, "/u/{name}": {"get": ["name"]}}),
        (
            [("GET", "/u/{id:int}"), ("GET", "/u/{id}")],
            {"/u/{id}": {"get": ["id"]}, "/u/{id_str}": {"get": ["id_str"]}},
        ),
    ],
)
def test_templates(
    document_of: Look, routes: list[tuple[str, str]], templates: dict[str, dict[str, list[str]]]
) -> None:
    app = Slime(__file__)
    for method, path in routes:
        app.route(path, method=method)(handler)
    found = {
        path: {method: [each["name"] for each in operation.get("parameters", [])] for method, operation in item.items()}
        for path, item in document_of(app)["paths"].items()
    }
    assert found == templates
