"""Handlers that cannot be called: errors that name the parameter, the handler and its file."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from slimeweb import HandlerWrapper, RouteSpec, Slime, hookimpl
from slimeweb.errors import InvalidHandler, PluginError
from slimeweb.testing import TestClient
from slimeweb_typed import Body, Cookie, File, Form, Header, ParameterError, Query


class User(BaseModel):
    name: str


class Pool:
    pass


def two_markers(x: Annotated[int, Query(), Header()]) -> None: ...
def path_and_marker(id: Annotated[int, Query()]) -> None: ...
def two_bodies(a: User, b: list[User]) -> None: ...
def body_and_field(a: User, b: Annotated[str, Form()]) -> None: ...
def class_not_instance(a: Annotated[int, Cookie]) -> None: ...
def any_number(id: int, *rest: int) -> None: ...
def keywords(id: int, **rest: int) -> None: ...


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (two_markers, r"'x' .* two places, from Query\(\) and from Header\(\)"),
        (path_and_marker, r"'id' .* two places, from the path and from Query\(\)"),
        (two_bodies, r"'b' .* a and b are both the whole body"),
        (body_and_field, r"'b' .* it is a field of a form, and a the whole body"),
        (class_not_instance, r"'a' .* Cookie is a class: write Cookie\(\)"),
        (any_number, r"'rest' .* nothing is given to it"),
        (keywords, r"'rest' .* nothing is given to it"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_can_never_be_right_fails_at_the_declaration(handler: Callable[..., Any], message: str) -> None:
    app = Slime(__file__)
    with pytest.raises(ParameterError, match=message) as caught:
        app.route("/{id}")(handler)
    assert isinstance(caught.value, InvalidHandler)
    assert isinstance(caught.value, PluginError)
    assert f"{handler.__name__} (" in str(caught.value)
    assert "test_errors.py:" in str(caught.value)
    assert app.routes == ()


def test_a_path_parameter_called_req_comes_from_two_places() -> None:
    with pytest.raises(ParameterError, match="from the path and from the request itself"):
        Slime(__file__).route("/{req}")(lambda req, *, id: "")


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (lambda idd: "", r"'idd' .* comes from nowhere: it has no type; the path has id, .* did you mean 'id'\?"),
        (lambda db=None: "", r"'db' .* comes from nowhere"),
    ],
    ids=["misspelled", "no type"],
)
def test_a_name_from_nowhere_fails_before_the_address_is_bound(handler: Callable[..., Any], message: str) -> None:
    app = Slime(__file__)
    app.route("/{id}")(handler)
    with pytest.raises(ParameterError, match=message) as caught:
        TestClient(app).__enter__()
    assert "test_errors.py:" in str(caught.value)


def test_a_type_that_text_does_not_become_comes_from_nowhere() -> None:
    app = Slime(__file__)

    @app.route("/")
    def show(db: Pool) -> str:
        return ""

    with pytest.raises(ParameterError, match=r"'db' .* comes from nowhere: text does not become Pool"):
        TestClient(app).__enter__()


@pytest.mark.parametrize("source", [Body(), Form(), File()], ids=str)
def test_a_body_that_is_streamed_is_no_parameter(source: Any) -> None:
    def show(data: Any) -> str:
        return ""

    show.__annotations__["data"] = Annotated[str, source]
    with pytest.raises(ParameterError, match=r"'data' .* stream_body=True reads by req\.chunks\(\)"):
        Slime(__file__).route("/", method="POST", stream_body=True)(show)


def test_another_plugin_that_claims_a_handler_has_it() -> None:
    class Injecting:
        @hookimpl
        def slime_wrap_handler(self, route: RouteSpec) -> HandlerWrapper | None:
            if "service" not in route.signature.parameters:
                return None
            return HandlerWrapper(
                "injecting", lambda route, handler: lambda req, resp: handler("a service"), claims_signature=True
            )

    app = Slime(__file__, plugins=[Injecting()])
    app.route("/service")(lambda service: service)
    app.route("/{id}")(lambda id: id)
    with TestClient(app) as client:
        assert client.get("/service").text == "a service"
        assert client.get("/7").text == "7"


def test_the_frame_of_a_declaration_is_not_kept() -> None:
    class Kept:
        pass

    def declare(app: Slime) -> weakref.ref[Kept]:
        kept = Kept()

        @app.route("/", method="POST")
        def show(user: User, size: Later) -> str:  # type: ignore[name-defined]
            return ""

        Later = int
        return weakref.ref(kept)

    app = Slime(__file__)
    kept = declare(app)
    with TestClient(app):
        gc.collect()
        assert kept() is None
