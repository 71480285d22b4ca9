"""Requests to WSGI applications."""

from __future__ import annotations

import http.client
import io
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], None]]


def mounted(application: Any, path: str = "/old", **options: Any) -> Slime:
    app = Slime(__file__)
    app.mount(path, wsgi=application, **options)
    return app


def test_the_environment_is_that_of_the_specification() -> None:
    environs: list[Environ] = []

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        environs.append(dict(environ))
        start_response("204 No Content", [])
        return []

    with TestClient(mounted(application)) as client:
        answer = client.get(
            "/old/a%20b/caf%C3%A9?q=%20x&y",
            headers={"X-Kind": "caf\xe9", "X_Kind": "forged", "Host": "example.org:8080", "Content-Type": "text/x"},
        )
    assert answer.status_code == 204
    (environ,) = environs
    assert (environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"], environ["wsgi.url_scheme"]) == (
        "GET",
        "HTTP/1.1",
        "http",
    )
    assert environ["SCRIPT_NAME"] == "/old"
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/a b/café"
    assert environ["QUERY_STRING"] == "q=%20x&y"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("example.org", "8080")
    assert (environ["HTTP_X_KIND"], environ["CONTENT_TYPE"]) == ("caf\xe9", "text/x")
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.errors"] is sys.stderr
    assert all(type(value) is str for key, value in environ.items() if "." not in key)


@pytest.mark.parametrize(
    ("path", "target", "info"),
    [
        ("/old", "/old", ""),
        ("/old", "/%6Fld/x", "/x"),
        ("/old", "/o%6cd/%6Fld", "/old"),
        ("/café", "/caf%C3%A9/x", "/x"),
        ("/a b", "/a%20b/é", "/é"),
        ("", "/%6Fld", "/old"),
    ],
)
def test_the_path_is_cut_where_the_mount_ends(path: str, target: str, info: str) -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["SCRIPT_NAME"].encode("latin-1"), b"|", environ["PATH_INFO"].encode("latin-1")]

    with TestClient(mounted(application, path)) as client:
        assert client.get(target).text == f"{path}|{info}"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_validator_of_the_standard_library_agrees(method: str) -> None:
    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        data = environ["wsgi.input"].read(10)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"got ", data]

    with TestClient(mounted(validator(application))) as client:
        answer = client.request(method, "/old/x?y", content=b"some bytes" if method == "POST" else b"")
    assert (answer.status_code, answer.text) == (200, "got some bytes" if method == "POST" else "got ")


@pytest.mark.parametrize("read", ["read", "readline", "iterate", "small"])
def test_a_body_is_a_file(read: str) -> None:
    data = b"".join(b"%d %s\n" % (number, b"x" * (number % 500)) for number in range(3000))
    got: list[bytes] = []

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        body = environ["wsgi.input"]
        if read == "read":
            got.append(body.read())
        elif read == "readline":
            got.extend(iter(body.readline, b""))
        elif read == "iterate":
            got.extend(body)
        else:
            got.extend(iter(lambda: body.read(1000), b""))
        start_response("200 OK", [])
        return [b"read"]

    with TestClient(mounted(application)) as client:
        assert client.post("/old", content=data).text == "read"
    assert b"".join(got) == data
    assert read != "readline" or got == data.splitlines(keepends=True)


def test_pieces_go_out_as_they_are_made() -> None:
    go_on = threading.Event()

    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b""
        yield b"one"
        assert go_on.wait(30)
        yield b"two"

    with TestClient(mounted(application)) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        connection.request("GET", "/old")
        with connection.getresponse() as answer:
            assert answer.read1() == b"one"
            go_on.set()
            assert answer.read() == b"two"
        connection.close()


def test_an_answer_is_closed_whatever_becomes_of_it() -> None:
    closed: list[str] = []

    class Pieces:
        def __init__(self, name: str) -> None:
            self.name = name

        def __iter__(self) -> Any:
            yield b"x"
            if self.name == "bad":
                raise ValueError("in the middle")

        def close(self) -> None:
            closed.append(self.name)

    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Pieces(environ["PATH_INFO"][1:])

    with TestClient(mounted(application)) as client:
        assert client.get("/old/good").content == b"x"
        with pytest.raises((OSError, http.client.IncompleteRead)):
            client.get("/old/bad")
    assert closed == ["good", "bad"]


def test_write_and_the_iterable_make_one_answer() -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "6")])
        write(b"one")
        return [b"two"]

    with TestClient(mounted(application)) as client:
        answer = client.get("/old")
    assert (answer.text, answer.headers["content-length"]) == ("onetwo", "6")


def test_an_error_replaces_what_has_not_been_sent() -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [("X-First", "1")])
        try:
            raise ValueError("late")
        except ValueError:
            start_response("503 Late", [("X-Second", "2")], sys.exc_info())
        return [b"replaced"]

    with TestClient(mounted(application)) as client:
        answer = client.get("/old")
    assert (answer.status_code, answer.text) == (503, "replaced")
    assert "x-first" not in answer.headers
    assert answer.headers["x-second"] == "2"


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("never", "without calling start_response"),
        ("twice", "start_response twice"),
        ("raises", "on purpose"),
        ("no status", "invalid literal"),
        ("header", "line break"),
    ],
)
def test_an_application_that_breaks_the_rules_is_a_500(case: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        if case == "raises":
            raise ValueError("on purpose")
        if case == "no status":
            start_response("OK", [])
        elif case == "header":
            start_response("200 OK", [("X-A", "1\r\n2")])
        elif case == "twice":
            start_response("200 OK", [])
            start_response("200 OK", [])
        return [b"x"]

    with TestClient(mounted(application)) as client:
        answer = client.get("/old")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert text in caplog.text


def test_a_file_goes_out_by_its_wrapper() -> None:
    class File(io.BytesIO):
        def close(self) -> None:
            closed.append(True)
            super().close()

    closed: list[bool] = []
    data = bytes(range(256)) * 1000

    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/x-file")])
        return environ["wsgi.file_wrapper"](File(data), 4096)  # type: ignore[no-any-return]

    with TestClient(mounted(application)) as client:
        assert client.get("/old").content == data
    assert closed == [True]


def test_several_requests_run_at_the_same_time() -> None:
    together = threading.Barrier(4)

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        together.wait(30)
        start_response("200 OK", [])
        return [b"ok"]

    texts: list[str] = []
    with TestClient(mounted(application), timeout=30) as client:
        crew = [threading.Thread(target=lambda: texts.append(client.get("/old").text)) for _ in range(4)]
        for each in crew:
            each.start()
        for each in crew:
            each.join(30)
    assert texts == ["ok"] * 4
