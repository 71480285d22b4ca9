"""Each name and attribute of the README's API section, with the type it states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import slimeweb
from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.extras import needs

SECRET = "secret of the tests"


class Student(BaseModel):
    name: str


class Probe:
    """An application whose one handler runs whatever a test gives it, and keeps what comes out."""

    def __init__(self) -> None:
        self.app = Slime(__file__)
        self.work: Callable[[Any, Any], Any] = lambda req, resp: None
        self.seen: Any = None

        @self.app.route("/probe/{name}", method=["GET", "POST"])
        def probe(req: SlimeRequest, resp: SlimeResponse) -> None:
            self.seen = self.work(req, resp)

    def ask(self, client: TestClient, work: Callable[[Any, Any], Any], **request: Any) -> Any:
        self.work, self.seen = work, None
        method = request.pop("method", "POST")
        self.response = client.request(method, request.pop("path", "/probe/anna?q=1"), **request)
        return self.seen


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe()


@pytest.fixture(scope="module")
def client(probe: Probe) -> Iterator[TestClient]:
    with TestClient(probe.app) as client:
        yield client


@pytest.mark.parametrize(
    ("read", "request_options", "expected"),
    [
        (lambda req: req.method, {}, "POST"),
        (lambda req: req.path, {}, "/probe/anna"),
        (lambda req: req.client, {}, "127.0.0.1"),
        (lambda req: req.header["X-Name"], {"headers": {"x-name": "value"}}, "value"),
        (lambda req: req.header["x-name"], {"headers": {"X-NAME": "value"}}, "value"),
        (lambda req: isinstance(req.header, Mapping) and dict(req.header)["x-name"], {"headers": {"X-Name": "v"}}, "v"),
        (lambda req: req.body, {"content": b"abc"}, b"abc"),
        (lambda req: req.bytes, {"content": b"abc"}, b"abc"),
        (lambda req: req.form, {"data": {"a": "1"}}, {"a": "1"}),
        (lambda req: [file.file_size for file in req.file], {"files": {"f": ("a.txt", b"abc")}}, [3]),
        (lambda req: req.json, {"json": {"a": [1]}}, {"a": [1]}),
        (lambda req: req.query, {}, {"q": "1"}),
        (lambda req: req.params, {}, {"name": "anna"}),
        (lambda req: req.text, {"content": "é".encode()}, "é"),
        (lambda req: req.get_cookies(), {"headers": {"Cookie": "a=1; b=2"}}, {"a": "1", "b": "2"}),
        (lambda req: req.get_signed_cookie("nothing"), {}, None),
        (lambda req: req.no_of_files_available(), {"files": {"f": ("a.txt", b"abc")}}, 1),
        (lambda req: req.no_of_files_available(), {"content": b""}, 0),
        (lambda req: req.validate(Student), {"json": {"name": "a"}}, None),
    ],
)
def test_request(
    probe: Probe,
    client: TestClient,
    read: Callable[[Any], Any],
    request_options: dict[str, Any],
    expected: object,
) -> None:
    seen = probe.ask(client, lambda req, resp: read(req), **request_options)
    assert probe.response.status_code < 300, probe.response.text
    assert seen == expected
    # Those that miss a field with a 400 are dicts of a class of their own.
    assert isinstance(seen, type(expected))


def test_request_state(probe: Probe, client: TestClient) -> None:
    probe.ask(client, lambda req, resp: req.update_state("colour", "red"))
    assert probe.ask(client, lambda req, resp: req.get_state("colour")) == "red"


def test_request_secret_key(probe: Probe, client: TestClient) -> None:
    assert isinstance(probe.ask(client, lambda req, resp: req.secret_key), str)


def test_request_validate(probe: Probe, client: TestClient) -> None:
    problems = probe.ask(client, lambda req, resp: req.validate(Student, raise_err=False), json={})
    assert isinstance(problems, dict)
    for entries in problems.values():
        assert isinstance(entries, list)
        assert all(isinstance(key, str) and isinstance(text, str) for entry in entries for key, text in entry.items())


@pytest.mark.parametrize(
    ("answer", "status", "kind", "text"),
    [
        (lambda resp: resp.plain("a"), 200, "text/plain; charset=utf-8", "a"),
        (lambda resp: resp.plain("a", status=201), 201, "text/plain; charset=utf-8", "a"),
        (lambda resp: resp.json({"a": 1}), 200, "application/json", '{"a":1}'),
        (lambda resp: resp.json({"a": 1}, status=202), 202, "application/json", '{"a":1}'),
        (lambda resp: resp.html("<p>"), 200, "text/html; charset=utf-8", "<p>"),
        (lambda resp: resp.html("<p>", status=203), 203, "text/html; charset=utf-8", "<p>"),
        (lambda resp: (resp.set_status(404), resp.plain("gone")), 404, "text/plain; charset=utf-8", "gone"),
        (lambda resp: (resp.set_status(404), resp.plain("gone", status=410)), 410, "text/plain; charset=utf-8", "gone"),
    ],
)
def test_response(
    probe: Probe, client: TestClient, answer: Callable[[Any], Any], status: int, kind: str, text: str
) -> None:
    probe.ask(client, lambda req, resp: (answer(resp), None)[1])
    response = probe.response
    assert (response.status_code, response.headers["content-type"], response.text) == (status, kind, text)


def test_response_status_and_headers(probe: Probe, client: TestClient) -> None:
    def work(req: Any, resp: Any) -> list[object]:
        before = resp.status
        resp.set_status(418)
        resp.set_header("X-One", "1")
        resp.set_header("x-one", "2")
        resp.plain("tea")
        return [before, resp.status]

    assert probe.ask(client, work) == [200, 418]
    assert probe.response.headers["x-one"] == "2"


def test_response_cookies(probe: Probe, client: TestClient) -> None:
    def work(req: Any, resp: Any) -> None:
        resp.set_cookie("plain", "1")
        resp.set_sign_cookie("own", "value", SECRET)
        resp.set_sign_cookie("default", "value")

    probe.ask(client, work)
    jar = SimpleCookie(", ".join(f"{name}={value}" for name, value in probe.response.cookies.items()))
    assert set(jar) == {"plain", "own", "default"}
    line = "; ".join(f"{name}={value}" for name, value in probe.response.cookies.items())
    seen = probe.ask(
        client,
        lambda req, resp: [req.get_signed_cookie("default"), req.get_signed_cookie("own"), req.get_cookies()["plain"]],
        headers={"Cookie": line},
    )
    assert seen == ["value", None, "1"], "only the key that signed a cookie reads it"


def test_file(probe: Probe, client: TestClient, tmp_path: Path) -> None:
    def work(req: Any, resp: Any) -> dict[str, object]:
        (file,) = req.file
        facts = {
            "filename": file.filename,
            "content_type": file.content_type,
            "file_path": file.file_path,
            "file_size": file.file_size,
            "extension": file.extension,
            "there": Path(file.file_path).read_bytes() == b"abc",
        }
        file.save("saved.txt", tmp_path)
        file.clean()
        return {**facts, "gone": not Path(str(facts["file_path"])).exists()}

    seen = probe.ask(client, work, files={"f": ("photo.txt", b"abc", "text/plain")})
    assert probe.response.status_code < 300, probe.response.text
    assert (seen["content_type"], seen["file_size"], seen["extension"]) == ("text/plain", 3, "txt")
    assert "photo" not in seen["filename"]
    assert "." not in seen["filename"], "the extension is stripped"
    assert seen["there"]
    assert seen["gone"]
    assert (tmp_path / "saved.txt").read_bytes() == b"abc"


@pytest.mark.parametrize(
    "option",
    ["host", "port", "secret_key", "dev", "app_state", "workers", "static_path"],
)
def test_serve_takes_the_documented_arguments(option: str) -> None:
    import inspect

    assert option in inspect.signature(Slime.serve).parameters


@pytest.mark.parametrize("name", ["Slime", "SlimeMiddleware", "SlimeRequest", "SlimeResponse", "SlimeFile"])
def test_public_names(name: str) -> None:
    assert hasattr(slimeweb, name)
    assert name in slimeweb.__all__


def test_render(probe: Probe, client: TestClient) -> None:
    needs("slimeweb-templates")

    def work(req: Any, resp: Any) -> str:
        with pytest.raises(slimeweb.errors.SlimeError) as caught:
            req.render("missing.html")
        return str(caught.value)

    assert "missing.html" in probe.ask(client, work)


def test_stream_response() -> None:
    needs("slimeweb-stream")
    app: Any = Slime(__file__)
    seen: dict[str, object] = {}

    @app.stream(path="/", content="text/csv")  # type: ignore[untyped-decorator]
    def rows(req: Any, resp: Any) -> None:
        resp.set_header("X-Early", "1")
        seen["content_type"], seen["headers"] = resp.content_type, dict(resp.headers)
        resp.start_stream()
        with pytest.raises(Exception, match="header"):
            resp.set_header("X-Late", "1")
        resp.send("a")
        resp.send({"b": 1}, strict_order=True)
        resp.send(b"c", strict_order=False)
        resp.close()

    with TestClient(app) as client:
        response = client.get("/")
    assert response.text == 'a{"b":1}c'
    assert "x-late" not in response.headers
    assert seen["content_type"] == "text/csv"


def test_websocket_response_names() -> None:
    needs("slimeweb-ws")
    app: Any = Slime(__file__)
    missing: list[str] = []
    names = ["id", "on_message", "on_close", "on_error", "send", "send_text", "send_bytes", "send_json", "is_closed"]

    @app.websocket(path="/")  # type: ignore[untyped-decorator]
    def chat(req: Any, resp: Any) -> None:
        missing.extend(name for name in names if not hasattr(resp, name))

    with TestClient(app) as client:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert client.get("/", headers=upgrade).status_code == 101
    assert not missing


def test_compression_names() -> None:
    needs("slimeweb-compress")
    names = {"NoCompression", "Gzip", "Brotli", "Zstd", "All"}
    assert names <= {member.name for member in getattr(slimeweb, "SlimeCompression")}  # noqa: B009 -- a plugin's name


@pytest.mark.parametrize(
    ("name", "level"), [("Gzip", 0), ("Gzip", 10), ("Brotli", 0), ("Brotli", 12), ("Zstd", 0), ("Zstd", 23)]
)
def test_a_compression_level_out_of_range_is_an_error(name: str, level: int) -> None:
    needs("slimeweb-compress")
    app: Any = Slime(__file__)
    kind = getattr(getattr(slimeweb, "SlimeCompression"), name)  # noqa: B009 -- a plugin's name
    with pytest.raises(ValueError, match=str(level)):
        app.route(path="/", compression=kind, comp_level=level)(lambda req, resp: None)


@pytest.mark.parametrize("name", ["SlimeResponseType", "SlimeSchema", "BodySchema", "QuerySchema"])
def test_docs_names(name: str) -> None:
    needs("slimeweb-docs")
    assert hasattr(slimeweb, name)


def test_docs_response_types() -> None:
    needs("slimeweb-docs")
    kinds = {"Plain", "Json", "HTML", "Stream", "WebSocket", "Csv", "Xml", "Binary"}
    names = {f"{kind}Response" for kind in kinds}
    assert names <= {member.name for member in getattr(slimeweb, "SlimeResponseType")}  # noqa: B009 -- a plugin's name


def test_one_handler_per_path_and_method() -> None:
    app = Slime(__file__)
    app.route("/", method=["GET", "POST"])(lambda req, resp: None)
    with pytest.raises(slimeweb.errors.MultipleRouteException):
        app.route("/", method="post")(lambda req, resp: None)
