"""The test client says what it sent and received as it was."""

from __future__ import annotations

import io
import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError
from slimeweb.testing import TestClient, TooManyRedirects


def _kept(client: TestClient) -> Any:
    assert client._connections is not None
    return client._connections._kept


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = Slime(__file__)

    @app.route("/echo", method="*")
    def echo(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
        resp.set_header("X-Method", req.method)
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

    app.route("/echo/more")(echo)

    @app.route("/path/{*rest}")
    async def path(req: SlimeRequest, resp: SlimeResponse) -> list[str | None]:
        return [req.path, req.query.get("q")]

    @app.route("/header")
    async def header(req: SlimeRequest, resp: SlimeResponse) -> bytes:
        return req.header["x-name"].encode("latin-1")

    @app.route("/fields", method="POST")
    async def fields(req: SlimeRequest, resp: SlimeResponse) -> dict[str, list[str]]:
        return {name: req.form_all(name) for name in req.form}

    @app.route("/leave")
    async def leave(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.redirect(req.query["to"])

    @app.route("/raw-cookie")
    async def raw_cookie(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("Set-Cookie", req.query["set"])

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


@pytest.fixture(autouse=True)
def no_cookies(client: TestClient) -> None:
    client.cookies.clear()


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


def test_a_redirect_to_itself_ends_with_an_error_that_says_so(client: TestClient) -> None:
    assert client.get("/loop").status_code == 302
    with pytest.raises(TooManyRedirects, match=r"GET /loop: 20 redirects, and no end: .*/loop -> /loop"):
        client.get("/loop", follow_redirects=True)
    assert client.get("/echo").status_code == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_head_request_stays_one_when_redirected(client: TestClient, status: int) -> None:
    moved = client.head(f"/move/{status}", follow_redirects=True)
    assert (moved.status_code, moved.content, moved.headers["x-method"]) == (200, b"", "HEAD")


def test_only_post_becomes_get_by_a_moved_answer(client: TestClient) -> None:
    assert client.put("/move/301", json=1, follow_redirects=True).json()["method"] == "PUT"
    assert client.put("/move/303", json=1, follow_redirects=True).json()["method"] == "GET"


@pytest.mark.parametrize(
    "location",
    ["https://elsewhere.example/echo", "//elsewhere.example/echo", "http://127.0.0.1:1/echo", "mailto:a@b.example"],
)
def test_a_redirect_that_leads_out_of_the_application_is_returned(client: TestClient, location: str) -> None:
    answer = client.get("/leave", params={"to": location}, follow_redirects=True)
    assert (answer.status_code, answer.headers["location"]) == (302, location)


def test_redirects_inside_of_the_application_are_followed_by_address(client: TestClient) -> None:
    for location in (f"{client.url}/echo", f"http://localhost:{client.port}/echo", "../echo", "/echo#part"):
        assert client.get("/leave", params={"to": location}, follow_redirects=True).status_code == 200
    named = {"Host": "shop.example"}
    assert (
        client.get("/leave?to=http://shop.example/echo", headers=named, follow_redirects=True).json()["method"] == "GET"
    )


def test_a_path_is_percent_encoded_where_it_has_to_be(client: TestClient) -> None:
    assert client.get("/path/grüße und €?q=ä").json() == ["/path/grüße und €", "ä"]
    assert client.get("/path/a%20%C3%BC").json() == ["/path/a ü", None]
    assert client.get("/path/a", params="q=ü").json() == ["/path/a", "ü"]
    for path in ("echo", "http://127.0.0.1/echo", ""):
        with pytest.raises(ValueError, match="has to start with '/'"):
            client.get(path)
    with pytest.raises(TypeError, match="is not a path"):
        client.get(b"/echo")  # type: ignore[arg-type]


def test_a_request_that_cannot_be_sent_leaves_the_next_one_alone(client: TestClient) -> None:
    with pytest.raises(TypeError, match=r"headers: 'x-a' is \[1\]: give text"):
        client.get("/echo", headers={"X-A": [[1]]})
    with pytest.raises(ValueError, match="Invalid header value"):
        client.get("/echo", headers={"X-A": "a\nb"})
    assert client.get("/echo").status_code == 200


def test_headers_may_come_as_pairs_or_lists(client: TestClient) -> None:
    pairs: Any
    for pairs in ([("X-Name", "a"), ("x-name", "b")], {"X-Name": ["a", "b"]}):
        assert client.get("/header", headers=pairs).text == "a, b"
    for wrong in ("x", {5: "x"}, [("a",)], 5):
        with pytest.raises(TypeError, match=r"give {'name': 'value'} or \[\('name', 'value'\)\]"):
            client.get("/header", headers=wrong)


def test_the_headers_of_an_answer_are_found_in_any_case(client: TestClient) -> None:
    headers = client.get("/echo").headers
    assert headers["X-Method"] == headers["x-method"] == headers.get("X-METHOD") == "GET"
    assert "X-Method" in headers
    assert "X-Other" not in headers
    assert list(headers) == [name.lower() for name in headers]


def test_a_body_may_come_in_pieces(client: TestClient) -> None:
    content: Any
    for content in (iter([b"some ", "te", b"", b"xt"]), (each for each in (b"some text",)), io.BytesIO(b"some text")):
        assert client.post("/echo", content=content).json()["text"] == "some text"
    with pytest.raises(TypeError, match="give bytes or text, or pieces"):
        client.post("/echo", content=[5])


def test_a_method_is_sent_in_capitals(client: TestClient) -> None:
    assert client.request("get", "/echo").json()["method"] == "GET"
    wrong: Any
    for wrong in ("G T", "", None):
        with pytest.raises(ValueError, match="is not an HTTP method"):
            client.request(wrong, "/echo")


@pytest.mark.parametrize("params", [{"a": {"b": 1}}, 5, b"a=1", {"a": {1, 2}}])
def test_what_is_no_query_is_refused(client: TestClient, params: Any) -> None:
    with pytest.raises(TypeError, match="params"):
        client.get("/echo", params=params)


def test_a_query_leaves_out_what_is_none(client: TestClient) -> None:
    assert client.get("/echo", params={"a": None, "b": [1, None]}).json()["query"] == {"b": ["1"]}
    assert client.get("/echo", params="?a=1").json()["query"] == {"a": ["1"]}


def test_json_that_json_does_not_have_is_not_sent(client: TestClient) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        client.post("/echo", json={"a": float("nan")})


def test_the_address_of_an_answer_is_what_was_asked_for(client: TestClient) -> None:
    assert client.get("/echo?a=1#part").url == f"{client.url}/echo?a=1"
    assert client.get("//echo").url == f"{client.url}//echo"


@pytest.mark.parametrize("location", ["http://", "http://[bad", "http://127.0.0.1:99999/", "mailto:me"])
def test_a_redirect_to_no_address_is_returned(client: TestClient, location: str) -> None:
    response = client.get("/leave", params={"to": location}, follow_redirects=True)
    assert (response.status_code, response.headers["location"]) == (302, location)


def test_cookies_that_browsers_drop_are_not_kept() -> None:
    app = Slime(__file__)

    @app.route("/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        resp.add_header("Set-Cookie", req.query["cookie"])
        return ""

    with TestClient(app) as client:
        for cookie in (
            "__Host-a=1; Path=/",
            "__Host-a=1; Secure; Path=/x",
            "__Secure-a=1",
            "__Http-a=1; Secure",
            "a=1; SameSite=None",
            "a=1; Partitioned",
        ):
            client.get("/", params={"cookie": cookie})
            assert client.cookies == {}, cookie
        client.get("/", params={"cookie": "__Host-a=1; Secure; Path=/"})
        assert client.cookies == {"__Host-a": "1"}
        with pytest.raises(ValueError, match="is no cookie"):
            client.cookies["a"] = "b; admin=1"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_a_test_forks_has_connections_of_its_own(client: TestClient) -> None:
    client.get("/echo")
    ours = {connection.sock.getsockname() for connection in _kept(client).values()}
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            status = client.get("/echo").status_code
            theirs = {connection.sock.getsockname() for connection in _kept(client).values()}
            os.write(writing, b"%d %d" % (status, len(theirs - ours)))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"200 1"
    os.close(reading)
    os.close(writing)
    assert client.get("/echo").status_code == 200


def test_what_is_no_application_or_no_time_is_refused() -> None:
    with pytest.raises(TypeError, match="give the application"):
        TestClient("main:app")  # type: ignore[arg-type]
    for timeout in (0, -1, "5", True, float("nan")):
        with pytest.raises(ValueError, match="give a number of seconds"):
            TestClient(Slime(__file__), timeout=timeout)  # type: ignore[arg-type]


def test_a_header_beyond_latin_1_is_sent_as_utf_8(client: TestClient) -> None:
    assert client.get("/header", headers={"X-Name": "Zoë"}).content == "Zoë".encode("latin-1")
    assert client.get("/header", headers={"X-Name": "日本"}).content == "日本".encode()


def test_files_come_in_many_forms(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("from a path")
    with path.open("rb") as binary, path.open() as text:
        files: Any = {
            "bytes": b"1",
            "text": "grüezi",
            "view": memoryview(b"2"),
            "pair": ("a.txt", "3"),
            "triple": ("b.txt", io.BytesIO(b"4"), "text/plain"),
            "path": path,
            "binary": binary,
            "opened": text,
            "memory": io.BytesIO(b"5"),
            "several": [b"6", ("c.txt", b"7")],
        }
        received = client.post("/upload", files=files).json()
    assert [(field, name, content) for field, name, _, content in received] == [
        ("bytes", "bytes", "1"),
        ("text", "text", "grüezi"),
        ("view", "view", "2"),
        ("pair", "a.txt", "3"),
        ("triple", "b.txt", "4"),
        ("path", "notes.txt", "from a path"),
        ("binary", "notes.txt", "from a path"),
        ("opened", "notes.txt", "from a path"),
        ("memory", "memory", "5"),
        ("several", "several", "6"),
        ("several", "c.txt", "7"),
    ]


def test_forms_come_as_pairs_too(client: TestClient) -> None:
    pairs = [("a", 1), ("a", 2), ("b", "x")]
    assert client.post("/fields", data=pairs).json() == {"a": ["1", "2"], "b": ["x"]}
    assert client.post("/fields", data=pairs, files=[("b", (None, "y"))]).json() == {"a": ["1", "2"], "b": ["x", "y"]}
    assert client.post("/fields", data=(pair for pair in pairs)).json() == {"a": ["1", "2"], "b": ["x"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "a=1"}, "data='a=1' is not possible; give a form's fields.*content="),
        ({"data": 5}, "data=5 is not possible"),
        ({"data": ["ab"]}, "data holds 'ab', which is no pair"),
        ({"files": b"1"}, "files=b'1' is not possible; give .*'field': file"),
        ({"files": [b"1"]}, "files holds b'1', which is no pair"),
        ({"files": {"a": 5}}, "'a' is 5, which is no file"),
        ({"files": {"a": None}}, "'a' is None, which is no file"),
        ({"files": {"a": ("a.txt", {"b": 1})}}, "which is no file"),
        ({"files": {"a": ("a.txt", b"", "text/plain", {})}}, "which is no file"),
        ({"content": {"a": 1}}, r"content=\{'a': 1\} is not a body.*json="),
    ],
)
def test_what_is_no_body_is_refused_with_what_to_give(
    client: TestClient, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        client.post("/echo", **arguments)
    assert client.get("/echo").status_code == 200


@pytest.mark.parametrize(
    "attributes",
    [
        "Max-Age=0",
        "Max-Age=-1",
        "max-age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Expires=Thursday, 01-Jan-70 00:00:00 GMT",
        "Expires=Sun, 06 Nov 1994 08:49:37 GMT; Partitioned; Secure",
    ],
)
def test_a_cookie_that_has_ended_is_deleted(client: TestClient, attributes: str) -> None:
    client.get("/raw-cookie", params={"set": "gone=1; Path=/"})
    client.cookies["own"] = "2"
    assert client.get("/echo").json()["cookies"] == {"gone": "1", "own": "2"}
    client.get("/raw-cookie", params={"set": f"gone=; Path=/; {attributes}"})
    assert client.get("/echo").json()["cookies"] == client.cookies == {"own": "2"}
    client.get("/raw-cookie", params={"set": f"own=; Path=/; {attributes}"})
    assert client.get("/echo").json()["cookies"] == client.cookies == {}


@pytest.mark.parametrize("attributes", ["Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Max-Age=soon", "Expires"])
def test_a_cookie_that_has_not_ended_is_kept(client: TestClient, attributes: str) -> None:
    client.get("/raw-cookie", params={"set": f"kept=1; Path=/; {attributes}"})
    assert client.get("/echo").json()["cookies"] == {"kept": "1"}


def test_a_cookie_goes_where_a_browser_would_send_it(client: TestClient) -> None:
    def sent(path: str, host: str | None = None) -> dict[str, str]:
        found: dict[str, str] = client.get(path, headers={"Host": host} if host else None).json()["cookies"]
        return found

    client.get("/raw-cookie", params={"set": "below=1; Path=/echo"})
    client.get("/raw-cookie", params={"set": "other=1; Path=/ech"})
    client.get("/raw-cookie", params={"set": "foreign=1; Path=/; Domain=elsewhere.example"})
    client.get("/raw-cookie", params={"set": "secure=1; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"})
    assert sent("/echo") == {"below": "1", "secure": "1"}
    assert sent("/echo/more") == {"below": "1", "secure": "1"}
    client.cookies.clear()
    shop = {"Host": "www.shop.example"}
    client.get("/raw-cookie", headers=shop, params={"set": "wide=1; Path=/; Domain=.shop.example"})
    client.get("/raw-cookie", headers=shop, params={"set": "narrow=1; Path=/"})
    client.get("/raw-cookie", headers=shop, params={"set": "secure=1; Path=/; Secure"})
    assert sent("/echo", "www.shop.example") == {"wide": "1", "narrow": "1"}
    assert sent("/echo", "shop.example:80") == {"wide": "1"}
    assert sent("/echo", "myshop.example") == sent("/echo") == {}


def test_cookies_can_be_replaced(client: TestClient) -> None:
    client.cookies = {"a": "1"}
    client.cookies["b"] = "2"
    assert client.get("/echo").json()["cookies"] == {"a": "1", "b": "2"}
    del client.cookies["a"]
    with pytest.raises(KeyError):
        del client.cookies["a"]
    assert client.get("/echo", headers={"Cookie": "c=3"}).json()["cookies"] == {"c": "3"}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_request_that_changes_something_is_sent_once(method: str) -> None:
    app = Slime(__file__)
    seen: list[str] = []

    @app.route("/", method="*")
    def cut(req: SlimeRequest, resp: SlimeResponse) -> Any:
        seen.append(req.method)
        if len(seen) > 1:
            # The client finds its connection at an end, though the request has arrived.
            (connection,) = _kept(asking).values()
            connection.sock.shutdown(socket.SHUT_RDWR)
        return "hello"

    with TestClient(app) as asking:
        assert asking.get("/").text == "hello"
        with pytest.raises(ConnectionResetError):
            asking.request(method, "/")
        assert len(seen) == 2
        with pytest.raises(ConnectionResetError):
            asking.get("/")
    assert seen == ["GET", method, "GET"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_the_server_has_closed_is_replaced(method: str) -> None:
    app = Slime(__file__)
    seen: list[str] = []

    @app.route("/", method="*")
    def count(req: SlimeRequest, resp: SlimeResponse) -> str:
        seen.append(req.method)
        return req.text

    with TestClient(app, idle_timeout=0.2) as client:
        client.get("/")
        (connection,) = _kept(client).values()
        assert select.select([connection.sock], [], [], 20)[0], "the server has closed it"
        assert client.request(method, "/", content="again").text == "again"
    assert seen == ["GET", method]


def test_the_connection_of_a_thread_that_has_ended_is_closed() -> None:
    app = Slime(__file__)
    app.route("/")(lambda req, resp: "hello")
    with TestClient(app) as client:
        for _ in range(3):
            thread = threading.Thread(target=client.get, args=("/",))
            thread.start()
            thread.join()
        client.get("/")
        assert [thread for _, thread in _kept(client)] == [threading.current_thread()]
    assert client._connections is None


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
