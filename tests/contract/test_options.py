"""Keyword arguments that plugins add to `route()` and `serve()`."""

from __future__ import annotations

from typing import Any

import pytest

from slimeweb import RouteOption, RouteSpec, ServeOption, Slime, SlimeRequest, SlimeResponse
from slimeweb._settings import resolve
from slimeweb.errors import ConfigError, PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, toy


def handler(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("ok")


def percent(value: Any) -> int:
    number = int(value)
    if not 0 <= number <= 100:
        raise ValueError(f"{value!r} is not a percentage: use 0 to 100")
    return number


def test_slime_route_options_are_validated_and_kept_with_the_route() -> None:
    seen: dict[str, Any] = {}
    app = app_with(
        toy(
            "Quality",
            slime_route_options=lambda: [RouteOption("quality", default="any", validate=percent)],
            slime_route_added=lambda route: seen.update({route.path: route.options["quality"]}),
            slime_routes=lambda: [RouteSpec.declare("/own", handler)],
            slime_body_filter=lambda route: seen.update({f"start {route.path}": route.options["quality"]}),
        )
    )
    app.route(path="/a", quality="80")(handler)
    app.route(path="/b")(handler)
    assert seen == {"/a": 80, "/b": "any"}
    with pytest.raises(ValueError, match="use 0 to 100"):
        app.route(path="/c", quality=101)
    assert [route.path for route in app.routes] == ["/a", "/b"]
    with TestClient(app) as client:
        assert client.get("/own").text == "ok"
    assert seen["start /own"] == "any"


def test_slime_serve_options_come_from_the_argument_or_the_variable() -> None:
    option = ServeOption("max_rooms", default=8, validate=percent)
    options = {"max_rooms": option}
    assert option.variable == "SLIME_MAX_ROOMS"
    assert resolve({}, {}, options).options == {"max_rooms": 8}
    assert resolve({}, {"SLIME_MAX_ROOMS": "9"}, options).options == {"max_rooms": 9}
    assert resolve({}, {"SLIME_MAX_ROOMS": "9"}, options, {"max_rooms": 10}).options == {"max_rooms": 10}
    with pytest.raises(ConfigError, match=r"SLIME_MAX_ROOMS='900': .*use 0 to 100") as caught:
        resolve({}, {"SLIME_MAX_ROOMS": "900"}, options)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ConfigError, match=r"serve\(max_rooms=101\)"):
        resolve({}, {}, options, {"max_rooms": 101})


@pytest.mark.parametrize(
    ("text", "read"),
    [("0", False), ("no", False), ("Off", False), ("false", False), ("1", True), ("yes", True), ("ON", True)],
)
def test_an_option_that_is_validated_by_bool_reads_words(text: str, read: bool) -> None:
    app = app_with(
        toy(
            "Loud",
            slime_serve_options=lambda: [ServeOption("loud", default=None, validate=bool)],
            slime_route_options=lambda: [RouteOption("loud", default=None, validate=bool)],
        )
    )
    app.route("/", loud=text)(handler)
    assert app.routes[0].options["loud"] is read
    assert app.serve_config({}, {"SLIME_LOUD": text}).options["loud"] is read
    assert app.serve_config({"loud": text}, {}).options["loud"] is read
    assert app.serve_config({"loud": not read}, {"SLIME_LOUD": text}).options["loud"] is not read
    with pytest.raises(ValueError, match="use True or False"):
        app.route("/x", loud="maybe")
    with pytest.raises(ConfigError, match="SLIME_LOUD='maybe': use True or False"):
        app.serve_config({}, {"SLIME_LOUD": "maybe"})


def test_slime_serve_options_reach_the_plugin() -> None:
    seen = []
    app = app_with(
        toy(
            "Rooms",
            slime_serve_options=lambda: [ServeOption("max_rooms", default=8, validate=percent)],
            slime_startup=lambda app: seen.append(app.serve_options["max_rooms"]),
        )
    )
    assert app.serve_options == {"max_rooms": 8}
    with TestClient(app):
        pass
    with TestClient(app, max_rooms="12"):
        pass
    assert seen == [8, 12]


@pytest.mark.parametrize(
    ("hook", "option"),
    [("slime_route_options", RouteOption("colour")), ("slime_serve_options", ServeOption("colour"))],
)
def test_two_plugins_that_claim_one_option_are_both_named(hook: str, option: object) -> None:
    with pytest.raises(PluginError, match=f"'Second' claims the name 'colour' in {hook}, which plugin 'First' has"):
        app_with(*(toy(name, **{hook: lambda: [option]}) for name in ("First", "Second")))


@pytest.mark.parametrize(
    ("hook", "option"),
    [
        ("slime_route_options", RouteOption("path")),
        ("slime_route_options", RouteOption("body_size")),
        ("slime_serve_options", ServeOption("port")),
        ("slime_serve_options", ServeOption("shutdown_grace")),
    ],
)
def test_an_option_of_slimeweb_itself_cannot_be_claimed(hook: str, option: Any) -> None:
    with pytest.raises(PluginError, match=f"'Thief' claims the name '{option.name}' in {hook}, which slimeweb itself"):
        app_with(toy("Thief", **{hook: lambda: [option]}))


def test_an_unknown_option_says_what_to_type() -> None:
    app = app_with(toy("Quality", slime_route_options=lambda: [RouteOption("quality")]))
    with pytest.raises(TypeError, match="route\\(\\) has no option 'qualty': did you mean 'quality'"):
        app.route(path="/", qualty=3)
    with pytest.raises(TypeError, match="serve\\(\\) has no option 'prot': did you mean 'port'"):
        app.serve(prot=3)


@pytest.mark.parametrize(
    ("option", "extra"), [("stream", "stream"), ("ws", "ws"), ("compression", "compress"), ("comp_level", "compress")]
)
def test_an_option_of_a_plugin_that_is_not_installed_says_what_to_install(option: str, extra: str) -> None:
    with pytest.raises(TypeError, match=rf"pip install 'slimeweb\[{extra}\]'"):
        Slime(__file__).route(**{"path": "/", option: 1})  # type: ignore[arg-type]
