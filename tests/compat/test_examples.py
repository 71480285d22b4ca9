"""Every example of the README, run as it stands."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support import multipart
from support.extras import needs
from support.process import ServerProcess

Example = Callable[[str], ServerProcess]

JSON = {"Content-Type": "application/json"}


def test_getting_started(example: Example) -> None:
    answer = example("getting_started").ask("/")
    assert (answer.status, answer.text) == (200, "Hello World from slime")
    assert str(answer.header("content-type")).startswith("text/plain")


def test_basic_application(example: Example) -> None:
    server = example("basic_application")
    assert server.ask("/").text == "Hello from Slime"
    assert server.ask("/", "POST").json() == {"status": "ok", "message": "Hello from Slime"}


def test_workers_and_the_defaults_of_route(example: Example) -> None:
    server = example("workers")
    assert server.ask("/").status == 200
    assert server.ask("/", "POST").status == 405
    server.wait_for_output(r"3 workers")


@pytest.mark.parametrize(
    ("content_type", "body", "printed"),
    [
        ("application/json", b'{"a":1}', ["json {'a': 1}", 'text {"a":1}', "body b'{\"a\":1}'"]),
        ("application/x-www-form-urlencoded", b"a=1&a=2", ["form {'a': '2'}", "json None"]),
        ("text/plain", b"hello", ["text hello", "json None", "form {}", "file []"]),
        (
            multipart.CONTENT_TYPE,
            multipart.body([multipart.field("a", "1"), multipart.file("f", "x.txt", b"x")]),
            ["form {'a': '1'}", "json None"],
        ),
    ],
    ids=["json", "form", "text", "multipart"],
)
def test_request_body(example: Example, content_type: str, body: bytes, printed: list[str]) -> None:
    server = example("request_body")
    answer = server.ask("/test?q=1&q=2", "POST", headers={"Content-Type": content_type}, body=body)
    assert answer.json() == {"status": "ok"}, server.output
    for text in ["query {'q': '2'}", "params {}", *printed]:
        server.wait_for_output(re.escape(text), timeout=10)


def test_body_size_is_10_mb_by_default(example: Example) -> None:
    server = example("request_body")
    with server.wire() as wire:
        wire.send(b"POST /test HTTP/1.1\r\nHost: t\r\nContent-Length: 10485761\r\n\r\n")
        assert wire.answer().status == 400
    assert server.ask("/large", "POST", body=bytes(12_000_000)).json() == {"size": 12_000_000}


def test_lifecycle(example: Example) -> None:
    server = example("lifecycle")
    assert server.ask("/").text == "alive"
    assert server.stop() == 0
    assert "app has been started" in server.output
    assert "app has been ended with error =>  None" in server.output


def test_an_asynchronous_start(example: Example) -> None:
    server = example("lifecycle_async")
    assert server.ask("/").text == "alive"
    server.wait_for_output("app has been started", timeout=10)


def test_app_state(example: Example) -> None:
    server = example("app_state")
    assert [server.ask("/").json()["counter"] for _ in range(3)] == [1, 2, 3]


def test_template_render(example: Example) -> None:
    needs("slimeweb-templates")
    server = example("template_render")
    assert server.ask("/").text.strip() == "<h1>Hello abilash!</h1>"
    assert "Hello Guest" in server.ask("/logic").text
    assert "Hello anna" in server.ask("/logic?user=anna").text
    assert server.ask("/logic").text.count("<li>") == 2


def test_file_upload(example: Example, tmp_path: Path) -> None:
    server = example("file_upload")
    body = multipart.body([multipart.file("f", "notes.txt", b"content", "text/plain")])
    answer = server.ask("/test", "POST", headers={"Content-Type": multipart.CONTENT_TYPE}, body=body)
    assert answer.json() == {"status": "ok"}, server.output
    assert (tmp_path / "testing_file.txt").read_bytes() == b"content"
    for printed in ("text/plain", "7", "txt"):
        server.wait_for_output(f"(?m)^{printed}$", timeout=10)


def test_compression(example: Example) -> None:
    needs("slimeweb-compress")
    server = example("compression")
    for target in ("/", "/nine"):
        answer = server.ask(target, headers={"Accept-Encoding": "gzip, br"})
        assert answer.header("content-encoding") == "gzip"
        assert gzip.decompress(answer.body) == b"hello" * 5000
    assert server.ask("/").header("content-encoding") is None
    for coding in ("gzip", "br", "zstd"):
        assert server.ask("/all", headers={"Accept-Encoding": coding}).header("content-encoding") == coding
    assert server.ask("/none", headers={"Accept-Encoding": "gzip"}).body == b"hello" * 5000


@pytest.mark.parametrize("target", ["/", "/async"])
def test_middleware(example: Example, target: str) -> None:
    answer = example("middleware").ask(target)
    assert answer.header("after") == "REQUEST"
    assert answer.header("before") == (None if target == "/async" else "Request")


def test_a_middleware_plugin_for_every_route(example: Example) -> None:
    server = example("middleware_plugin")
    for answer in (server.ask("/"), server.ask("/home"), server.ask("/home", "POST")):
        assert answer.status == 200
        assert answer.header("pluginbefore") == answer.header("pluginafter") == "CustomPlugin"


def test_a_middleware_plugin_for_some_routes(example: Example) -> None:
    server = example("middleware_plugin_scoped")
    assert server.ask("/").header("pluginbefore") is None
    assert server.ask("/home", "POST").header("pluginbefore") == "CustomPlugin"
    origin = {"Origin": "https://anywhere.example"}
    assert server.ask("/json", headers=origin).header("access-control-allow-origin") == "*"
    several = server.ask("/json/all", headers=origin)
    assert several.header("access-control-allow-origin") == "*"
    assert several.header("pluginafter") == "CustomPlugin"


@pytest.mark.parametrize("target", ["/stream", "/stream/too"])
def test_streaming(example: Example, target: str) -> None:
    needs("slimeweb-stream")
    answer = example("streaming").ask(target)
    assert (answer.status, answer.text) == (200, "01234")
    assert answer.header("transfer-encoding") == "chunked"
    assert str(answer.header("content-type")).startswith("text/plain")
    assert answer.header("x-before") == ("start" if target == "/stream/too" else None)


def test_websocket(example: Example) -> None:
    needs("slimeweb-ws")
    server = example("websocket")
    with server.wire() as wire:
        wire.send(
            b"GET /chat HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        answer = wire.answer()
        assert answer.status == 101
        assert answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        wire.send(b"\x81\x85\x00\x00\x00\x00hello")
        assert wire.socket.recv(100) == b"\x81\x05hello"
    server.wait_for_output("Connection closed", timeout=10)


def test_validation(example: Example) -> None:
    server = example("validation")
    good = b'{"name": "a", "age": 1, "marks": 2}'
    assert server.ask("/", "POST", headers=JSON, body=good).status < 300
    assert server.ask("/", "POST", headers=JSON, body=b"{}").status == 422
    assert server.ask("/errors", "POST", headers=JSON, body=good).json() == {"err": None}
    err = server.ask("/errors", "POST", headers=JSON, body=b"{}").json()["err"]
    (problems,) = err.values()
    assert [problem["loc"] for problem in problems] == ["name", "age", "marks"]


def test_docs(example: Example) -> None:
    needs("slimeweb-docs")
    server = example("docs")
    assert server.ask("/").text == "hello" * 3000
    assert server.ask("/", "POST").json() == {"status": "ok"}
    assert server.ask("/docs").status == 200
    document = server.ask("/openapi.json").json()
    assert document["paths"]["/"]["get"]["summary"] == "just checking"
    assert "SubItem" in json.dumps(document)
