"""The test client says what it sent and received as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError
from slimeweb.testing import TestClient


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = Slime(__file__)

    @app.route("/echo", method="*")
    def echo(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        return {
            "method": req.method,
            "query": {name: req.query_all(name) for name in req.query},
            "type": req.header.get("content-type"),
            "json": req.json,
            "form": req.form
            if req.header.get("content-type", "").partition(";")[0].endswith(("form-data", "urlencoded"))
            else None,
            "text": req.text if req.header.get("content-type") is None else None,
            "cookies": req.get_cookies(),
        }

    @app.route("/upload", method="POST")
    def upload(req: SlimeRequest, resp: SlimeResponse) -> list[Any]:
        return [[file.field, file.original_filename, file.content_type, file.read().decode()] for file in req.file]

    @app.route("/set/{name}")
    def set_cookie(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_cookie(req.params["name"], "a b")

    @app.route("/unset/{name}")
    def unset_cookie(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_cookie(req.params["name"], "", max_age=0)

    @app.route("/move/{status:int}", method="*")
    def move(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.redirect("/echo?moved=1", status=req.params["status"])

    @app.route("/loop")
    def loop(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.redirect("/loop")

    app.static_route("/here", Path(__file__).parent)
    with TestClient(app) as client:
        yield client


def test_methods(client: TestClient) -> None:
    for method in ("get", "post", "put", "patch", "delete", "options"):
        assert getattr(client, method)("/echo").json()["method"] == method.upper()
    assert client.head("/echo").content == b""


def test_params(client: TestClient) -> None:
    assert client.get("/echo?a=1", params={"b": [2, "x&y"]}).json()["query"] == {"a": ["1"], "b": ["2", "x&y"]}


def test_bodies(client: TestClient) -> None:
    assert client.post("/echo", json={"a": [1, None]}).json()["json"] == {"a": [1, None]}
    form = client.post("/echo", data={"a": "1 &", "b": [2, 3]}).json()
    assert (form["type"], form["form"]) == ("application/x-www-form-urlencoded", {"a": "1 &", "b": "3"})
    assert client.put("/echo", content="grüezi").json()["text"] == "grüezi"
    with pytest.raises(ValueError, match="one body"):
        client.post("/echo", json={}, content=b"")


def test_files(client: TestClient) -> None:
    files = [("a", ("one.txt", b"1", "text/plain")), ("a", ("two.bin", b"2")), ("b", b"3")]
    assert client.post("/upload", files=files, data={"field": "value"}).json() == [
        ["a", "one.txt", "text/plain", "1"],
        ["a", "two.bin", "application/octet-stream", "2"],
        ["b", "b", "application/octet-stream", "3"],
    ]
    assert client.post("/echo", files={"a": b"1"}, data={"field": ["x", "y"]}).json()["form"] == {"field": "y"}


def test_cookies_are_kept(client: TestClient) -> None:
    assert client.get("/set/one").cookies == {"one": "a b"}
    assert client.get("/echo").json()["cookies"] == {"one": "a b"}
    client.get("/unset/one")
    assert client.get("/echo").json()["cookies"] == client.cookies == {}


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_redirects(client: TestClient, status: int, method: str) -> None:
    assert client.post(f"/move/{status}", json=1).status_code == status
    moved = client.post(f"/move/{status}", json=1, follow_redirects=True).json()
    assert (moved["method"], moved["query"]) == (method, {"moved": ["1"]})
    assert moved["json"] == (1 if method == "POST" else None)


def test_a_redirect_to_itself_ends(client: TestClient) -> None:
    assert client.get("/loop", follow_redirects=True).status_code == 302


def test_static_files(client: TestClient) -> None:
    assert client.get("/here/test_testing.py").content == Path(__file__).read_bytes()
    assert client.get("/here/none.py").status_code == 404


def test_each_thread_has_a_connection(client: TestClient) -> None:
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for number in range(20):
                assert client.get("/echo", params={"n": number}).json()["query"] == {"n": [str(number)]}
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_client_that_does_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="with TestClient"):
        TestClient(Slime(__file__)).get("/")


def test_static_directories_are_checked(tmp_path: Path) -> None:
    app = Slime(tmp_path / "main.py")
    with pytest.raises(ConfigError, match="'nowhere' is not a directory"):
        app.static_route("/files", "nowhere")
    with pytest.raises(ConfigError, match="starts with '/'"):
        app.static_route("files", ".")
    with pytest.raises(ConfigError, match="is not a directory"), TestClient(app, static_path="nowhere"):
        pass
    for directory in ("static", "public"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "a.txt").write_text(directory)
    app.static_route("/files", "public")
    with pytest.raises(ConfigError, match="has a directory already"):
        app.static_route("/files/", "static")
    with TestClient(app) as client:
        assert (client.get("/static/a.txt").text, client.get("/files/a.txt").text) == ("static", "public")
    for static_path in ("public", str(tmp_path / "public")):
        with TestClient(app, static_path=static_path) as client:
            assert client.get("/static/a.txt").text == "public"
