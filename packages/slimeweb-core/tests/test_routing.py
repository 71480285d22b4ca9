"""Routes as they are declared: methods, handlers, conflicts."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb._route_table import RouteTable
from slimeweb.errors import InvalidHandler, MethodException, MultipleRouteException
from slimeweb.handlers import check_handler, is_coroutine_function
from slimeweb.methods import covers, overlap, parse_methods
from slimeweb.routing import RouteSpec
from slimeweb.testing import TestClient


def handler(req: Any, resp: Any) -> None:
    """Answers."""


async def coroutine(req: Any, resp: Any) -> None: ...


class Callable:
    async def __call__(self, req: Any, resp: Any) -> None: ...


class Generating:
    def __call__(self, req: Any, resp: Any) -> Iterator[int]:
        yield 1


def generator(req: Any, resp: Any) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("given", "methods"),
    [
        ("get", ("GET",)),
        (["post", "GET", "Post"], ("POST", "GET")),
        ("*", ("*",)),
        (["GET", "*"], ("*",)),
        ("PROPFIND", ("PROPFIND",)),
    ],
)
def test_methods_are_case_insensitive(given: str | list[str], methods: tuple[str, ...]) -> None:
    assert parse_methods(given) == methods


@pytest.mark.parametrize("given", [[], "", "GET POST", [""], ["GET", 1], "CONNECT", "GÉT", None, 5, b"GET"])
def test_what_is_not_a_method_is_refused(given: Any) -> None:
    with pytest.raises(MethodException):
        parse_methods(given)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("GTE", "GET"), ("PSOT", "POST"), ("PATHC", "PATCH"), ("delet", "DELETE"), ("OPTION", "OPTIONS")],
)
def test_a_mistyped_method_is_refused_with_the_one_that_is_meant(given: str, meant: str) -> None:
    with pytest.raises(MethodException, match=f"did you mean '{meant}'"):
        parse_methods(["GET", given])


@pytest.mark.parametrize("given", ["BREW", "QUERY", "PROPPATCH", "PURGE", "REPORT", "UPDATE", "COPY", "TRACE"])
def test_methods_of_the_applications_own_are_taken(given: str) -> None:
    assert parse_methods(given) == (given,)


def test_any_method_overlaps_and_covers_all() -> None:
    assert overlap(("*",), ("GET", "PUT")) == ("GET", "PUT")
    assert overlap(("GET",), ("*",)) == ("GET",)
    assert overlap(("GET",), ("PUT",)) == ()
    assert covers(("*",), "BREW")
    assert not covers(("GET",), "POST")


def test_a_route_knows_its_handler() -> None:
    route = RouteSpec.declare("/a/{id:int}", handler, ["get", "put"])
    assert (route.path, route.methods, route.name, route.doc) == ("/a/{id:int}", ("GET", "PUT"), "handler", "Answers.")
    assert [(param.name, param.kind) for param in route.params] == [("id", "int")]
    assert "GET,PUT /a/{id:int}" in str(route)
    assert "test_routing" in str(route)


@pytest.mark.parametrize(
    ("function", "asynchronous"),
    [
        (handler, False),
        (coroutine, True),
        (functools.partial(coroutine), True),
        (functools.partial(handler), False),
        (Callable(), True),
        (Callable, False),
    ],
)
def test_a_coroutine_function_is_told_from_a_plain_one(function: Any, asynchronous: bool) -> None:
    assert is_coroutine_function(function) is asynchronous


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (None, "not None"),
        ("handler", "not 'handler'"),
        (lambda req: None, "takes \\(req\\)"),
        (lambda: None, "takes \\(\\)"),
        (lambda req, resp, more: None, "takes \\(req, resp, more\\)"),
        (generator, "is a generator"),
        (Generating(), "is a generator"),
        (Callable, "not the class .*Callable: give one of its methods, or an instance"),
    ],
)
def test_a_handler_takes_two_arguments(function: Any, reason: str) -> None:
    with pytest.raises(InvalidHandler, match=reason):
        check_handler(function, "the route /")


@pytest.mark.parametrize("function", [None, "handler", Callable])
def test_what_cannot_be_called_makes_no_route(function: Any) -> None:
    with pytest.raises(InvalidHandler, match="the route / needs a function of two arguments"):
        RouteSpec.declare("/", function)


@pytest.mark.parametrize(
    "arguments",
    [
        {"body_size": -1},
        {"body_size": "1"},
        {"body_size": True},
        {"body_size": 2**63},
        {"blocking": "no"},
        {"blocking": 1},
        {"stream_body": "no"},
        {"stream_body": 1},
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        RouteSpec.declare("/", handler, **arguments)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("/a", "GET"), ("/a", "get")),
        (("/a", ["GET", "POST"]), ("/a", "POST")),
        (("/a", "*"), ("/a", "GET")),
        (("/{a}", "GET"), ("/{b}", "GET")),
        (("/{a:int}", "GET"), ("/{b:int}", "GET")),
        (("/{*a}", "GET"), ("/{b:path}", "GET")),
    ],
)
def test_a_conflict_names_both_handlers(one: tuple[str, Any], other: tuple[str, Any]) -> None:
    table = RouteTable([RouteSpec.declare(one[0], handler, one[1])])
    with pytest.raises(MultipleRouteException) as caught:
        table.add(RouteSpec.declare(other[0], coroutine, other[1]))
    assert "handler" in str(caught.value)
    assert "coroutine" in str(caught.value)
    assert len(table) == 1


def test_kinds_of_parameters_live_side_by_side() -> None:
    paths = ["/u/{id:int}", "/u/{name}", "/u/me", "/u/{*rest}", "/u/{key:uuid}"]
    table = RouteTable(RouteSpec.declare(path, handler) for path in paths)
    assert [route.path for route in table] == paths


def test_options_cannot_be_changed() -> None:
    route = RouteSpec.declare("/", handler, options={"a": 1})
    with pytest.raises(TypeError):
        route.options["a"] = 2  # type: ignore[index]


def forgotten(*arguments: object) -> None:
    pass


async def forgotten_later(*arguments: object) -> None:
    pass


@pytest.mark.parametrize("function", [forgotten, forgotten_later, lambda req, resp: None])
@pytest.mark.parametrize("name", ["route", "middle_before", "middle_after", "error", "start", "end"])
def test_a_decorator_without_parentheses_is_refused(name: str, function: Any) -> None:
    app = Slime(__file__)
    with pytest.raises(
        InvalidHandler, match=rf"@app.{name} needs parentheses above .*test_routing.py:\d+.*: write @app"
    ):
        getattr(app, name)(function)


def test_start_and_end_take_no_arguments() -> None:
    for name in ("start", "end"):
        with pytest.raises(TypeError, match=rf"app.{name}\(\) takes no arguments, not 5"):
            getattr(Slime(__file__), name)(5)


def test_a_wrapped_handler_is_called_as_its_wrapper_says() -> None:
    def with_database(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(req: SlimeRequest, resp: SlimeResponse) -> Any:
            return function(req, resp, "database")

        return wrapper

    app = Slime(__file__)

    @app.route("/")
    @with_database
    def home(req: SlimeRequest, resp: SlimeResponse, database: str) -> str:
        return database

    @app.error(404)
    @with_database
    def missing(req: SlimeRequest, resp: SlimeResponse, database: str) -> str:
        return f"not in the {database}"

    with TestClient(app) as client:
        assert client.get("/").text == "database"
        assert client.get("/nowhere").text == "not in the database"


def test_a_coroutine_that_nobody_awaits_is_told_as_one(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)

    @app.route("/")
    @lambda function: lambda req, resp: function(req, resp)
    async def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "home"

    app.route("/pair")(lambda req, resp: ("text", 201))
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
        assert "the handler or its decorator is a plain def: make it async def" in caplog.text
        assert client.get("/pair").status_code == 500
        assert "resp.plain(…, status=201)" in caplog.text
