"""Header fields that an application wants on its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime
from slimeweb.errors import ConfigError
from slimeweb.plugin import Cors
from slimeweb.testing import TestClient

ANY_ORIGIN = {"Access-Control-Allow-Origin": "*", "Timing-Allow-Origin": "*"}


@pytest.fixture
def app(tmp_path: Path) -> Slime:
    for directory in ("static", "fonts", "plain"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "a.txt").write_text("0123456789")
    return Slime(tmp_path / "main.py")


def test_files_have_the_headers_of_their_route(app: Slime) -> None:
    app.static_route("/fonts", "fonts", headers=ANY_ORIGIN)
    app.static_route("/static", "static", headers={"Vary": "Origin"})
    app.static_route("/plain", "plain")
    app.route("/")(lambda req, resp: "hello")
    app.use(Cors("https://shop.example"))
    with TestClient(app) as client:
        origin = {"Origin": "https://page.example"}
        whole = client.get("/fonts/a.txt", headers=origin)
        assert (whole.status_code, whole.content) == (200, b"0123456789")
        answers = [
            whole,
            client.head("/fonts/a.txt", headers=origin),
            client.get("/fonts/a.txt", headers={**origin, "Range": "bytes=2-3"}),
            client.get("/fonts/a.txt", headers={**origin, "If-None-Match": whole.headers["etag"]}),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 206, 304]
        for answer in answers:
            assert answer.header_all("access-control-allow-origin") == ["*"]
            assert answer.header_all("timing-allow-origin") == ["*"]
        assert "Origin" in client.get("/static/a.txt").header_all("vary")
        for path in ("/plain/a.txt", "/fonts/none.txt"):
            assert "access-control-allow-origin" not in client.get(path, headers=origin).headers


def test_cors_of_the_application_covers_static_files(app: Slime) -> None:
    app.static_route("/fonts", "fonts", headers={"Access-Control-Allow-Origin": "https://own.example"})
    app.static_route("/plain", "plain")
    app.route("/")(lambda req, resp: "hello")
    app.use(Cors("https://shop.example"))
    with TestClient(app) as client:
        origin = {"Origin": "https://shop.example"}
        whole = client.get("/plain/a.txt", headers=origin)
        assert (whole.status_code, whole.content, whole.headers["content-length"]) == (200, b"0123456789", "10")
        answers = [
            whole,
            client.head("/plain/a.txt", headers=origin),
            client.get("/plain/a.txt", headers={**origin, "Range": "bytes=2-3"}),
            client.get("/plain/a.txt", headers={**origin, "If-None-Match": whole.headers["etag"]}),
        ]
        assert [(answer.status_code, answer.content) for answer in answers] == [
            (200, b"0123456789"),
            (200, b""),
            (206, b"23"),
            (304, b""),
        ]
        for answer in answers:
            assert answer.header_all("access-control-allow-origin") == ["https://shop.example"]
            assert "Origin" in answer.header_all("vary")
            assert answer.headers["etag"] == whole.headers["etag"]
        assert "Origin" in client.get("/plain/a.txt").header_all("vary")
        own = client.get("/fonts/a.txt", headers=origin)
        assert own.header_all("access-control-allow-origin") == ["https://own.example"]
        asked = {**origin, "Access-Control-Request-Method": "GET"}
        preflight = client.request("OPTIONS", "/plain/a.txt", headers=asked)
        assert preflight.status_code == 204
        assert preflight.header_all("access-control-allow-origin") == ["https://shop.example"]
        assert "allow" not in preflight.headers


def test_the_redirect_of_a_directory_keeps_the_query(app: Slime, tmp_path: Path) -> None:
    (tmp_path / "plain" / "sub").mkdir()
    (tmp_path / "plain" / "sub" / "index.html").write_text("index")
    app.static_route("/plain", "plain")
    with TestClient(app) as client:
        for query in ("", "?page=2&q=a%20b"):
            answer = client.get("/plain/sub" + query)
            assert (answer.status_code, answer.headers["location"]) == (308, "/plain/sub/" + query)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X A": "1"}, "'X A' is not a header name"),
        ({1: "1"}, "1 is not a header name"),
        ({"X-A": "1\r\nX-B: 2"}, "cannot be the header X-A"),
        ({"X-A": 1}, "1 cannot be the header X-A"),
        ({"Content-Length": "1"}, "Content-Length is the server's own"),
        ({"etag": "1"}, "etag is the server's own"),
        ([("X-A", "1")], "is no dict"),
        (None, "None is no dict"),
    ],
)
def test_headers_that_will_not_do_are_refused_at_the_declaration(app: Slime, headers: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        app.static_route("/fonts", "fonts", headers=headers)
