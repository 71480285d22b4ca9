"""The ready-made middleware: Cors and ReqLog."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from slimeweb import HttpError, Slime, SlimeRequest, SlimeResponse
from slimeweb.plugin import Cors, ReqLog
from slimeweb.testing import TestClient, TestResponse

SHOP, EVIL = "https://shop.example", "https://evil.example"


def ask(cors: Cors, origin: str | None, method: str = "GET", path: str = "/", **headers: str) -> TestResponse:
    app = Slime(__file__)

    @app.route("/", method=["GET", "PUT"], plugin=cors)
    async def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "hello"

    @app.route("/fail", plugin=cors)
    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise HttpError(409)

    with TestClient(app) as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.request(method, path, headers={**sent, **({"Origin": origin} if origin else {})})


def preflight(cors: Cors, origin: str, **headers: str) -> TestResponse:
    return ask(cors, origin, "OPTIONS", Access_Control_Request_Method="PUT", **headers)


def granted(response: TestResponse) -> dict[str, str]:
    return {name[15:]: value for name, value in response.headers.items() if name.startswith("access-control-")}


def test_any_origin() -> None:
    response = ask(Cors(), SHOP)
    assert granted(response) == {"allow-origin": "*"}
    assert "vary" not in response.headers
    assert granted(ask(Cors(), None)) == {}


def test_exact_origins_vary() -> None:
    cors = Cors([SHOP], expose=["X-Total"])
    for origin, expected in [
        (SHOP, {"allow-origin": SHOP, "expose-headers": "X-Total"}),
        (EVIL, {}),
        (SHOP + ".evil.example", {}),
        (None, {}),
    ]:
        response = ask(cors, origin)
        assert (granted(response), response.headers["vary"], response.text) == (expected, "Origin", "hello")


def test_errors_have_the_headers_too() -> None:
    response = ask(Cors([SHOP]), SHOP, path="/fail")
    assert (response.status_code, granted(response)) == (409, {"allow-origin": SHOP})


def test_a_preflight_is_answered() -> None:
    cors = Cors([SHOP], methods=["GET", "put"], headers=["X-Token"], credentials=True, max_age=60)
    response = preflight(cors, SHOP)
    assert (response.status_code, response.content) == (204, b"")
    assert granted(response) == {
        "allow-origin": SHOP,
        "allow-credentials": "true",
        "allow-methods": "GET, PUT",
        "allow-headers": "X-Token",
        "max-age": "60",
    }
    refused = preflight(cors, EVIL)
    assert (refused.status_code, granted(refused)) == (204, {})


def test_the_headers_asked_for_are_granted_by_default() -> None:
    response = preflight(Cors(), SHOP, Access_Control_Request_Headers="x-a, x-b")
    assert granted(response)["allow-headers"] == "x-a, x-b"
    assert "Access-Control-Request-Headers" in response.headers["vary"]


def test_options_without_a_preflight_is_answered_by_the_path() -> None:
    response = ask(Cors(), SHOP, "OPTIONS")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS, PUT")


def test_middleware_for_one_method_still_answers_preflights() -> None:
    app = Slime(__file__)
    app.route("/", method="PUT")(lambda req, resp: "hello")
    app.use(Cors([SHOP]), method="PUT", path="/")
    with TestClient(app) as client:
        asked = {"Origin": SHOP, "Access-Control-Request-Method": "PUT"}
        assert granted(client.options("/", headers=asked))["allow-origin"] == SHOP


@pytest.mark.parametrize(
    "arguments",
    [
        {"credentials": True},
        {"origins": ["*"], "credentials": True},
        {"origins": ["shop.example"]},
        {"origins": ["https://shop.example/"]},
    ],
)
def test_what_would_be_unsafe_or_useless_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Cors"):
        Cors(**arguments)


def test_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = Slime(__file__)
    app.route("/{*rest}")(lambda req, resp: resp.plain("hello", status=201))
    app.use(ReqLog())
    app.use(ReqLog(logging.getLogger("mine")))
    with TestClient(app) as client:
        client.get("/a%0Ab")
    lines = {record.name: record.getMessage() for record in caplog.records}
    assert set(lines) == {"slimeweb.access", "mine"}
    assert lines["mine"].startswith("127.0.0.1")
    assert " GET /a\\nb 201 " in lines["mine"]
