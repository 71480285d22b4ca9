"""`url_for`, `req.url`, `req.host` and `root_path`."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Router, Slime
from slimeweb.errors import ConfigError, UrlError
from slimeweb.testing import TestClient
from support.versions import VERSIONS, served
from support.wire import Wire

ID = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")


def nothing(req: Any, resp: Any) -> None: ...


def declared(path: str, name: str = "it") -> Slime:
    app = Slime(__file__)
    app.get(path, name=name)(nothing)
    return app


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("/", {}, "/"),
        ("/users/", {}, "/users/"),
        ("/größe/a b", {}, "/gr%C3%B6%C3%9Fe/a%20b"),
        ("/100%/{{x}}", {}, "/100%25/%7Bx%7D"),
        ("/users/{id:int}", {"id": -7}, "/users/-7"),
        ("/x/{x:float}", {"x": 1e22}, "/x/10000000000000000000000"),
        ("/x/{x:float}", {"x": 1.5e-7}, "/x/0.00000015"),
        ("/x/{x:float}", {"x": 3}, "/x/3"),
        ("/x/{u:uuid}", {"u": ID}, f"/x/{ID}"),
        ("/x/{name}", {"name": "a/b %?#é"}, "/x/a%2Fb%20%25%3F%23%C3%A9"),
        ("/x/{name}", {"name": 7}, "/x/7"),
        ("/x/v{name}.html", {"name": ".."}, "/x/v...html"),
        ("/files/{*rest}", {"rest": "a b/c?.txt"}, "/files/a%20b/c%3F.txt"),
        ("/files/{*rest}", {"rest": ""}, "/files/"),
        ("/{a}/{b:int}/{c:path}", {"a": "x", "b": 1, "c": "y/z"}, "/x/1/y/z"),
    ],
)
def test_what_url_for_gives_leads_back_to_the_parameters(path: str, params: dict[str, Any], expected: str) -> None:
    app = declared(path)
    found: list[Any] = []
    app.middle_before(path)(lambda req, resp: found.append((req.route, req.params)))
    assert app.url_for("it", **params) == expected
    with TestClient(app) as client:
        client.get(expected)
    ((route, received),) = found
    wanted = {name: str(value) if name == "name" else value for name, value in params.items()}
    assert (route, received) == (path, wanted)


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("/users/{id:int}", {}, r"needs id=…, a parameter of /users/\{id:int\}"),
        ("/users/{id:int}", {"id": 1, "idd": 2}, r"no parameter 'idd': did you mean 'id'\?.*query=\{'idd': …\}"),
        ("/users", {"page": 2}, r"no parameter 'page'; what .* goes into query=\{'page': …\}"),
        ("/users/{id:int}", {"id": "7"}, r"id='7'\): the parameter has to be an int, such as id=7"),
        ("/users/{id:int}", {"id": True}, "an int"),
        ("/x/{x:float}", {"x": float("nan")}, "a finite float"),
        ("/x/{u:uuid}", {"u": str(ID)}, r"a uuid\.UUID"),
        ("/x/{name}", {"name": ""}, "text that is not empty"),
        ("/x/{name}", {"name": None}, "text that is not empty"),
        ("/x/{name}", {"name": ".."}, "take '.' and '..' out of paths"),
        ("/x/{name}", {"name": "\ud800"}, "UTF-8"),
        ("/x/{*rest}", {"rest": 7}, "has to be text"),
        ("/x/{*rest}", {"rest": "a/../../b"}, "take '.' and '..' out of paths"),
        ("/{*rest}", {"rest": "/evil.example"}, "another host"),
    ],
)
def test_parameters_that_will_not_do_are_errors_that_say_what_to_type(
    path: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(UrlError, match=message):
        declared(path).url_for("it", **params)


def test_an_unknown_name_is_an_error_with_what_was_meant() -> None:
    with pytest.raises(UrlError, match=r"no route is called so: did you mean 'show'\?"):
        declared("/", "show").url_for("shwo")


def test_a_query_has_lists_and_leaves_out_none() -> None:
    app = declared("/x")
    assert app.url_for("it", query={"q": "a b&c", "tag": ["x", "y"], "page": None, "n": 2}) == (
        "/x?q=a+b%26c&tag=x&tag=y&n=2"
    )
    assert app.url_for("it", query={"page": None}) == "/x"
    with pytest.raises(UrlError, match="give a dict"):
        app.url_for("it", query="a=b")  # type: ignore[arg-type]


def test_names_default_to_those_of_the_functions_and_given_ones_count_over_them() -> None:
    app = Slime(__file__)

    def show(req: Any, resp: Any) -> None: ...

    app.get("/a")(show)
    assert app.url_for("show") == "/a"
    app.get("/b", name="show")(nothing)
    assert app.url_for("show") == "/b"


def test_of_one_function_at_several_paths_the_parameters_choose() -> None:
    app = Slime(__file__)
    app.get("/pages/{number:int}")(nothing)
    app.get("/pages")(nothing)
    assert app.url_for("nothing") == "/pages"
    assert app.url_for("nothing", number=2) == "/pages/2"


def test_one_name_for_two_paths_of_two_functions_is_an_error_that_names_both() -> None:
    app = declared("/a", "same")
    app.get("/b", name="same")(lambda req, resp: None)
    with pytest.raises(UrlError, match=r"may be GET /a .* or GET /b .* another name"):
        app.url_for("same")


@pytest.mark.parametrize("name", ["", "a.b", 7])
def test_a_name_that_will_not_do_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="text without a dot"):
        Router(name=name)
    with pytest.raises(ValueError, match="text without a dot"):
        declared("/", name)


def users_router() -> Router:
    users = Router("/users", name="users")

    @users.get("/{id:int}", name="show")
    def show(req: Any, resp: Any) -> Any:
        name = req.query.get("name", ".show")
        return [req.url_for(name, id=req.params["id"] + 1)]

    return users


def test_the_whole_name_is_the_first_includes_and_a_dot_is_relative_to_that_of_the_request() -> None:
    users, outer = users_router(), Router("/outer", name="outer")
    outer.include(users)
    app = Slime(__file__)
    app.include(users)
    app.include(users, prefix="/old")
    app.include(users, prefix="/v2/users", name="v2")
    app.include(outer)
    app.get("/show", name="show")(nothing)
    assert app.url_for("users.show", id=1) == "/users/1"
    assert app.url_for("v2.show", id=1) == "/v2/users/1"
    assert app.url_for("outer.users.show", id=1) == "/outer/users/1"
    with TestClient(app) as client:
        for place in ("/users", "/old", "/v2/users", "/outer/users"):
            assert client.get(f"{place}/7").json() == [f"{place}/8"]
            assert client.get(f"{place}/7?name=users.show").json() == ["/users/8"]


def test_a_relative_name_needs_a_route() -> None:
    app = declared("/x", "show")
    with pytest.raises(UrlError, match="relative to the router of the request's route, and there is none"):
        app.url_for(".show")
    found: list[str] = []

    @app.error(404)
    def missing(req: Any, resp: Any) -> str:
        found.append(req.url_for("show"))
        with pytest.raises(UrlError):
            req.url_for(".show")
        return "checked"

    with TestClient(app) as client:
        assert client.get("/nowhere").text == "checked"
    assert found == ["/x"]


@pytest.mark.parametrize("version", VERSIONS)
def test_url_host_and_absolute_urls_are_those_of_the_request(version: str, tmp_path: Path) -> None:
    app = Slime(__file__)

    @app.get("/a b/{x}", name="it")
    def it(req: Any, resp: Any) -> Any:
        return [req.url, req.host, req.url_for("it", absolute=True, x="y")]

    with served(app, version, tmp_path) as ask:
        answer = ask("GET", "/a%20b/%C3%A9?q=1")
        host = answer.json()[1]
        assert answer.json() == [f"https://{host}/a%20b/%C3%A9?q=1", host, f"https://{host}/a%20b/y"]
        assert host.startswith(("127.0.0.1", "localhost"))


def test_the_host_of_a_request_that_names_none_is_the_servers() -> None:
    app = Slime(__file__)
    app.get("/")(lambda req, resp: [req.host, req.url])
    with TestClient(app) as client, Wire.tcp("127.0.0.1", client.port) as wire:
        wire.send(b"GET / HTTP/1.0\r\n\r\n")
        assert wire.answer().json() == [f"127.0.0.1:{client.port}", f"http://127.0.0.1:{client.port}/"]


@pytest.mark.parametrize("version", VERSIONS)
def test_root_path_is_taken_off_where_it_is_there_and_stands_before_urls(version: str, tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("hello")
    app = Slime(__file__)
    app.static_route("/files", tmp_path)

    @app.get("/x/{id:int}")
    def it(req: Any, resp: Any) -> Any:
        return [req.path, req.raw_path, req.url.partition(req.host)[2], req.url_for(".it", id=2), req.app.root_path]

    app.get("/", name="home")(lambda req, resp: [req.path])
    assert app.url_for("it", id=1) == "/x/1"
    with served(app, version, tmp_path, root_path="/app") as ask:
        for target in ("/app/x/1?y", "/x/1?y"):
            assert ask("GET", target).json() == ["/x/1", "/x/1", "/app/x/1?y", "/app/x/2", "/app"]
        for target in ("/app", "/app/", "/app?x"):
            assert ask("GET", target).json() == ["/"]
        assert ask("GET", "/apple").status == 404
        assert ask("GET", "/app/files/hello.txt").body == b"hello"
        assert app.url_for("it", id=1) == "/app/x/1"
    assert (app.root_path, app.url_for("it", id=1)) == ("", "/x/1")


@pytest.mark.parametrize("root", ["app", "/app/", "/", "/a b", "/a?b", "//app", 7])
def test_a_root_path_that_will_not_do_is_refused(root: Any) -> None:
    with pytest.raises(ConfigError, match=r"root_path.*a path that starts with a slash and ends without one"):
        Slime(__file__).serve_config({"root_path": root}, {})
