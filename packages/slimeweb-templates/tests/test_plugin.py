"""slimeweb finds this plugin by its entry point, and `req.render` works over real connections."""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from slimeweb import HttpError, Router, Slime
from slimeweb.testing import TestClient
from slimeweb_templates.plugin import TemplatesPlugin


@pytest.fixture
def app(tmp_path: Path) -> Slime:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "hello.html").write_text("<h1>Hello {{ name }}!</h1>")
    (templates / "broken.html").write_text("line one\n{% if %}\n")
    (templates / "failing.html").write_text("\n\n{{ 1 // zero }}")
    return Slime(tmp_path / "main.py")


def test_templates_have_url_for(app: Slime) -> None:
    (app.root / "templates" / "macro.html").write_text("{% macro home() %}{{ url_for('home') }}{% endmacro %}")
    (app.root / "templates" / "links.html").write_text(
        "{% import 'macro.html' as links %}{{ url_for('.user', id=7) }} {{ links.home() }}"
    )
    users = Router("/users", name="users")

    @users.get("/{id:int}", name="user")
    def user(req: Any, resp: Any) -> Any:
        return req.render("links.html") if req.params["id"] else req.render("own.html", url_for=1)

    (app.root / "templates" / "own.html").write_text("{{ url_for }}")
    app.include(users)
    app.get("/", name="home")(lambda req, resp: app.templates.render("macro.html"))
    with TestClient(app, root_path="/app") as client:
        assert client.get("/users/7").text == "/app/users/7 /app/"
        assert client.get("/users/0").text == "1"


def test_slimeweb_finds_the_plugin() -> None:
    (entry_point,) = entry_points(group="slimeweb", name="templates")
    assert entry_point.load() is TemplatesPlugin
    assert entry_point.dist is not None
    assert entry_point.dist.name == "slimeweb-templates"


def test_the_package_is_typed() -> None:
    assert files("slimeweb_templates").joinpath("py.typed").is_file()


def test_the_readme_example_sync_and_async_in_both_call_forms(app: Slime) -> None:
    @app.route(path="/", method="GET")
    def land(req: Any, resp: Any) -> Any:
        html = req.render("hello.html", **{"name": "abilash", "slimeVersion": "0.0.1"})  # noqa: PIE804
        return resp.html(html)

    @app.route(path="/async")
    async def land_async(req: Any, resp: Any) -> Any:
        return resp.html(req.render("hello.html", {"name": "<b>"}))

    with TestClient(app) as client:
        assert client.get("/").text == "<h1>Hello abilash!</h1>"
        assert client.get("/async").text == "<h1>Hello &lt;b&gt;!</h1>"


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        ("missing.html", "the template 'missing.html' was not found"),
        ("broken.html", "the template 'broken.html', line 2"),
        ("failing.html", "the template 'failing.html', line 3: ZeroDivisionError"),
    ],
)
def test_a_mistake_is_a_500_that_says_nothing_and_a_log_that_says_where(
    app: Slime, caplog: pytest.LogCaptureFixture, name: str, logged: str
) -> None:
    @app.route(path="/")
    def page(req: Any, resp: Any) -> Any:
        return resp.html(req.render(name, zero=0))

    with TestClient(app) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert logged in caplog.text


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_an_http_error_in_a_template_is_answered_with_its_status(app: Slime, tmp_path: Path, kind: str) -> None:
    (tmp_path / "templates" / "json.html").write_text("{{ req.json.name }}")
    (tmp_path / "templates" / "call.html").write_text("{{ find() }}")

    def find() -> None:
        raise HttpError(404, "no such student")

    @app.route(path="/plain/{name}", method="POST")
    def plain(req: Any, resp: Any) -> Any:
        return req.render(req.params["name"], find=find)

    @app.route(path="/coroutine/{name}", method="POST")
    async def coroutine(req: Any, resp: Any) -> Any:
        return req.render(req.params["name"], find=find)

    with TestClient(app) as client:
        headers = {"Content-Type": "application/json"}
        assert client.post(f"/{kind}/json.html", content=b"{", headers=headers).status_code == 400
        assert client.post(f"/{kind}/json.html", content=b'{"name": "Ada"}', headers=headers).text == "Ada"
        answer = client.post(f"/{kind}/call.html")
    assert (answer.status_code, answer.text) == (404, "no such student")


@pytest.mark.parametrize(
    ("arguments", "logged"),
    [
        ((), "req.render() missing 1 required positional argument: 'name'"),
        ((None,), "None is no template's name"),
        (("hello.html", ["x"]), "render('hello.html', ['x']): use a dict"),
    ],
)
def test_arguments_of_render_that_will_not_do_are_told(
    app: Slime, caplog: pytest.LogCaptureFixture, arguments: tuple[Any, ...], logged: str
) -> None:
    @app.route(path="/")
    def page(req: Any, resp: Any) -> Any:
        return req.render(*arguments)

    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert logged in caplog.text


def test_each_application_has_templates_of_its_own(app: Slime, tmp_path: Path) -> None:
    other = Slime(tmp_path / "other" / "main.py")
    app.templates.globals["site"] = "one"
    assert "site" not in other.templates.globals


def test_what_is_rendered_of_html_is_answered_as_html(app: Slime, tmp_path: Path) -> None:
    (tmp_path / "templates" / "note.txt").write_text("{{ name }}")

    @app.route("/html")
    def page(req: Any, resp: Any) -> Any:
        return req.render("hello.html", name="<Ada>")

    @app.route("/text")
    def text(req: Any, resp: Any) -> Any:
        return req.render("note.txt", name="<Ada>")

    with TestClient(app) as client:
        answer = client.get("/html")
        assert (answer.text, answer.headers["content-type"]) == (
            "<h1>Hello &lt;Ada&gt;!</h1>",
            "text/html; charset=utf-8",
        )
        answer = client.get("/text")
        assert (answer.text, answer.headers["content-type"]) == ("<Ada>", "text/plain; charset=utf-8")
