"""Names that plugins add to `app`, `req` and `resp`."""

from __future__ import annotations

from typing import Any

import pytest

from slimeweb import Router, Slime, SlimeRequest, SlimeResponse
from slimeweb.errors import PluginError
from slimeweb.router import Declarations
from slimeweb.testing import TestClient
from support.toys import app_with, toy


def test_slime_app_members_become_attributes_of_that_application() -> None:
    app = app_with(
        toy("Pages", slime_app_members=lambda app: {"page": lambda path: app.route(path=path), "answer": 42})
    )
    other = app_with()

    app.page("/about")(lambda req, resp: resp.plain("about"))
    assert app.answer == 42
    assert not hasattr(other, "answer")
    with TestClient(app) as client:
        assert client.get("/about").text == "about"


def test_slime_request_members_are_methods_of_requests() -> None:
    app = app_with(toy("Greeter", slime_request_members=lambda: {"greet": lambda req, name: f"{req.method} {name}"}))

    @app.route(path="/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain(req.greet("Ada"))

    @app.route(path="/async")
    async def later(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain(req.greet(name="Grace"))

    with TestClient(app) as client:
        assert client.get("/").text == "GET Ada"
        assert client.get("/async").text == "GET Grace"


def test_slime_response_members_are_methods_of_responses() -> None:
    def teapot(resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("short and stout", status=418)

    app = app_with(toy("Teapots", slime_response_members=lambda app: {"teapot": teapot}))

    @app.route(path="/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        answer: SlimeResponse = resp.teapot()
        return answer

    with TestClient(app) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.text) == (418, "short and stout")


@pytest.mark.parametrize("hook", ["slime_app_members", "slime_request_members", "slime_response_members"])
def test_two_plugins_that_claim_one_name_are_both_named(hook: str) -> None:
    with (
        pytest.raises(PluginError, match=f"'Second' claims the name 'page' in {hook}, which plugin 'First' has"),
        TestClient(app_with(*(toy(name, **{hook: lambda: {"page": print}}) for name in ("First", "Second")))),
    ):
        pass


@pytest.mark.parametrize(
    ("hook", "name"),
    [
        ("slime_app_members", "route"),
        ("slime_app_members", "state"),
        ("slime_request_members", "json"),
        ("slime_request_members", "get_cookies"),
        ("slime_response_members", "set_header"),
        ("slime_response_members", "set_cookie"),
    ],
)
def test_a_name_of_slimeweb_itself_cannot_be_claimed(hook: str, name: str) -> None:
    with (
        pytest.raises(PluginError, match=f"'Thief' claims the name '{name}' in {hook}, which slimeweb itself has"),
        TestClient(app_with(toy("Thief", **{hook: lambda: {name: print}}))),
    ):
        pass


@pytest.mark.parametrize("name", ["not a name", "_private", "1st", ""])
@pytest.mark.parametrize("hook", ["slime_app_members", "slime_request_members", "slime_response_members"])
def test_a_member_has_a_public_name(hook: str, name: str) -> None:
    with (
        pytest.raises(PluginError, match="is not a public Python name"),
        TestClient(app_with(toy("Odd", **{hook: lambda: {name: print}}))),
    ):
        pass


def test_a_member_that_its_plugin_takes_back_later_stays() -> None:
    members = {"greet": lambda req: "hello"}
    app = app_with(toy("Fickle", slime_request_members=lambda: members))

    @app.route(path="/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain(req.greet())

    with TestClient(app) as client:
        members.clear()
        assert client.get("/").text == "hello"


def test_members_of_plugins_that_are_not_installed_say_what_to_install() -> None:
    app = Slime(__file__)
    with pytest.raises(AttributeError, match=r"pip install 'slimeweb\[stream\]'"):
        _ = app.stream
    with pytest.raises(AttributeError, match=r"Slime has no attribute 'strem'$"):
        _ = app.strem
    errors = []

    @app.route(path="/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> None:
        for owner, name in ((req, "render"), (req, "rendr"), (resp, "rendr")):
            try:
                getattr(owner, name)
            except AttributeError as error:
                errors.append(str(error))

    with TestClient(app) as client:
        client.get("/")
    assert "pip install 'slimeweb[templates]'" in errors[0]
    assert errors[1:] == ["SlimeRequest has no attribute 'rendr'", "SlimeResponse has no attribute 'rendr'"]


def test_slime_declarations_are_told_what_they_declare_on() -> None:
    told: list[object] = []

    def declarations(app: Slime, on: Declarations) -> dict[str, Any]:
        told.append(on)
        return {"page": lambda path: on.route(path)}

    router: Any = Router("/below")
    router.page("/x")(lambda req, resp: "x")
    app = app_with(toy("Pages", slime_declarations=declarations))
    app.include(router)
    (route,) = app.routes
    assert (told[0], route.path) == (app, "/below/x")
    assert (told[1],) == route.includes


def test_slime_declarations_cannot_claim_what_there_is() -> None:
    pages = toy("Pages", slime_declarations=lambda: {"page": lambda path: None})
    for other in (
        toy("Room", slime_app_members=lambda: {"page": 1}),
        toy("Two", slime_declarations=lambda: {"page": print}),
    ):
        with pytest.raises(PluginError, match=r"claims the name 'page' in slime_declarations"):
            app_with(pages, other)
    with pytest.raises(PluginError, match=r"claims the name 'route' in slime_declarations.*slimeweb itself"):
        app_with(toy("Pages", slime_declarations=lambda: {"route": print}))
