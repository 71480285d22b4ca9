"""Mounted ASGI and WSGI applications over both versions of HTTP, with TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificate import self_signed
from support.extras import needs
from support.process import ServerProcess

SOURCE = """
from slimeweb import Slime


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    count, more = 0, True
    while more:
        message = await receive()
        count += len(message["body"])
        more = message["more_body"]
    hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
    text = f"{scope['http_version']} {scope['scheme']} {scope['path']} {len(hosts)} {count}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
    for piece in text.split(" ") if scope["query_string"] == b"pieces" else ():
        await send({"type": "http.response.body", "body": piece.encode() + b" ", "more_body": True})
    await send({"type": "http.response.body", "body": b"" if scope["query_string"] else text.encode()})


def wsgi(environ, start_response):
    count = len(environ["wsgi.input"].read())
    start_response("200 OK", [("X-A", "1"), ("X-A", "2")])
    version = environ["SERVER_PROTOCOL"].removeprefix("HTTP/")
    path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
    pieces = [version, environ["wsgi.url_scheme"], path, str(len([environ["HTTP_HOST"]])), str(count)]
    if environ["QUERY_STRING"]:
        return (f"{piece} ".encode() for piece in pieces)
    return [" ".join(pieces).encode()]


app = Slime(__file__)
app.mount("/asgi", asgi=asgi)
app.mount("/wsgi", wsgi=wsgi)
app.serve()
"""


@pytest.fixture(scope="module", params=["1.1", "2"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    needs("slimeweb-asgi")
    folder: Path = tmp_path_factory.mktemp("mounts")
    certificate, key = self_signed(folder)
    script = folder / "main.py"
    script.write_text(SOURCE)
    env = {"SLIME_TLS_CERT": str(certificate), "SLIME_TLS_KEY": str(key)}
    with ServerProcess(script, env=env, version=request.param) as server:
        yield server.wait_until_serving()


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
@pytest.mark.parametrize("query", ["", "?pieces"])
@pytest.mark.parametrize("size", [0, 10, 300_000])
def test_an_application_sees_the_request_and_its_answer_arrives(
    server: ServerProcess, kind: str, query: str, size: int
) -> None:
    answer = server.ask(f"/{kind}/x%20y{query}", "POST" if size else "GET", body=b"z" * size)
    assert (answer.status, answer.text.strip()) == (200, f"{server.version} https /{kind}/x y 1 {size}")
    assert answer.header_all("x-a") == ["1", "2"]


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
@pytest.mark.parametrize("query", ["", "?pieces"])
def test_head_has_no_body(server: ServerProcess, kind: str, query: str) -> None:
    answer = server.ask(f"/{kind}/x{query}", "HEAD")
    assert (answer.status, answer.body, answer.header_all("x-a")) == (200, b"", ["1", "2"])
