"""`/docs` and `/openapi.json`, as they are served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime
from slimeweb.errors import ConfigError, PluginError
from slimeweb.testing import TestClient
from slimeweb_docs import page
from slimeweb_docs.page import ASSETS, assets_folder


@pytest.fixture
def app() -> Slime:
    app = Slime(__file__)

    @app.route("/")
    def home(req: Any, resp: Any) -> str:
        return "hello"

    return app


@pytest.fixture
def client(app: Slime) -> Iterator[TestClient]:
    app.docs.about(title="<Shop> & more", description="naïve")
    with TestClient(app, dev=True) as client:
        yield client


def test_the_document_is_that_of_the_application(app: Slime, client: TestClient) -> None:
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == app.docs.document()
    # Routes of the documentation itself are none of the application's.
    assert set(answer.json()["paths"]) == {"/"}


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "//" not in answer.text
    assert "<title>&lt;Shop&gt; &amp; more</title>" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert not re.search(r"https?:|\*", policy)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) == 4
    for address in loaded:
        assert client.get(f"/{address}").status_code == 200


def test_the_start_script_asks_for_the_document_and_for_no_validator(client: TestClient) -> None:
    script = client.get("/docs/start.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert 'url: "openapi.json"' in script.text
    assert "validatorUrl: null" in script.text
    assert "//" not in script.text


@pytest.mark.parametrize("name", ASSETS)
def test_assets_have_their_types_and_can_be_kept(client: TestClient, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, ASSETS[name])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content == (assets_folder() / name).read_bytes()
    again = client.get(f"/docs/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_swagger_ui_is_5_or_newer() -> None:
    assert assets_folder().name == f"swagger-ui-{version('swagger-ui-bundle-v2')}"
    assert int(version("swagger-ui-bundle-v2").partition(".")[0]) >= 5


def test_other_files_of_the_folder_are_not_served(client: TestClient) -> None:
    for path in ("/docs/swagger-initializer.js", "/docs/../docs/index.html", "/docs/%2e%2e/index.html", "/docs/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("arguments", "status"),
    [({}, 404), ({"dev": True}, 200), ({"docs": True}, 200), ({"dev": True, "docs": False}, 404)],
)
def test_the_page_is_for_dev_mode_unless_asked_for(app: Slime, arguments: dict[str, Any], status: int) -> None:
    with TestClient(app, **arguments) as client:
        for path in ("/docs", "/openapi.json", "/docs/start.js", "/docs/swagger-ui.css"):
            assert client.get(path).status_code == status
        assert client.get("/").text == "hello"


def test_a_second_start_shows_what_has_been_declared_since(app: Slime) -> None:
    with TestClient(app, dev=True) as client:
        assert set(client.get("/openapi.json").json()["paths"]) == {"/"}
    app.route("/new")(lambda req, resp: None)
    with TestClient(app, dev=True) as client:
        assert set(client.get("/openapi.json").json()["paths"]) == {"/", "/new"}


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_a_route_in_the_way_is_named_with_the_way_out(app: Slime, path: str) -> None:
    @app.route(path)
    def mine(req: Any, resp: Any) -> str:
        return "mine"

    with pytest.raises(PluginError, match=rf"GET {path} .*mine.*serve\(docs=False\)"), TestClient(app, dev=True):
        pass
    for arguments in ({}, {"dev": True, "docs": False}):
        with TestClient(app, **arguments) as client:
            assert client.get(path).text == "mine"


def test_the_old_bundle_in_place_of_the_new_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vendor" / "swagger-ui-4.15.5").mkdir(parents=True)
    monkeypatch.setattr(page, "files", lambda package: tmp_path)
    with pytest.raises(ConfigError, match="pip uninstall swagger-ui-bundle"):
        assets_folder()


def test_a_missing_bundle_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> Path:
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(page, "files", missing)
    with pytest.raises(ConfigError, match="pip install swagger-ui-bundle-v2"):
        assets_folder()


def test_the_document_is_utf_8_as_it_is(client: TestClient) -> None:
    assert json.loads(client.get("/openapi.json").content.decode())["info"]["description"] == "naïve"
    assert "naïve".encode() in client.get("/openapi.json").content
