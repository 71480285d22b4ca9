"""`app.dry_run`: an application as it starts, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from slimeweb import RouteSpec, ServeOption, Slime
from slimeweb.errors import ConfigError, MultipleRouteException, PluginError
from slimeweb.testing import TestClient
from support.toys import toy


def handler(req: Any, resp: Any) -> Any:
    return resp.plain("hello")


def paths(app: Slime) -> list[str]:
    return [route.path for route in app.routes]


def test_routes_options_and_mode_are_those_of_a_start() -> None:
    calls: list[str] = []
    plugin = toy(
        "P",
        slime_serve_options=lambda: [ServeOption("base", default="/", validate=str)],
        slime_ready=lambda app: app.route("/ready")(handler) and None,
        slime_routes=lambda app: [RouteSpec.declare(app.serve_options["base"] + "plugin", handler)],
        slime_startup=lambda: calls.append("startup"),
    )
    app = Slime(__file__, plugins=[plugin])
    app.route("/")(handler)
    app.start()(lambda: calls.append("start"))
    with app.dry_run(app.serve_config({"base": "/v2/", "dev": True}, {})):
        assert paths(app) == ["/", "/ready", "/v2/plugin"]
        assert (app.dev, app.serve_options["base"]) == (True, "/v2/")
    assert paths(app) == ["/", "/ready"]
    assert (app.dev, app.serve_options["base"]) == (False, "/")
    assert (calls, app.was_served) == ([], False)


def test_the_application_can_be_served_afterwards_and_not_meanwhile() -> None:
    app = Slime(__file__)
    app.route("/")(handler)
    config = app.serve_config({}, {})
    with app.dry_run(config), pytest.raises(ConfigError, match="being served already"), TestClient(app):
        pass
    with TestClient(app) as client:
        assert client.get("/").text == "hello"
        with pytest.raises(ConfigError, match="being served already"), app.dry_run(config):
            pass
        assert client.get("/").text == "hello"


def test_what_would_fail_at_a_start_fails_and_leaves_the_application_as_it_was() -> None:
    app = Slime(__file__, plugins=[toy("P", slime_routes=lambda: [RouteSpec.declare("/", handler)])])
    app.route("/")(handler)
    with pytest.raises(MultipleRouteException, match="plugin 'P'"), app.dry_run(app.serve_config({}, {})):
        pass
    assert paths(app) == ["/"]

    def fail() -> None:
        raise OSError("no")

    app = Slime(__file__, plugins=[toy("P", slime_ready=fail)])
    for _ in range(2):
        with pytest.raises(PluginError, match="failed in slime_ready"), app.dry_run(app.serve_config({}, {})):
            pass


def test_it_ends_where_the_body_raises() -> None:
    app = Slime(__file__)
    config = app.serve_config({"dev": True}, {})
    with pytest.raises(KeyError), app.dry_run(config):
        raise KeyError("mine")
    assert not app.dev
