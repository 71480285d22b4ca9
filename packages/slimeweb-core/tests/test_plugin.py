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
    ("arguments", "message"),
    [
        ({"credentials": True}, "needs exact origins, not '\\*'"),
        ({"origins": "*", "credentials": True}, "needs exact origins"),
        ({"origins": ["*"], "credentials": True}, "needs exact origins"),
        ({"origins": [SHOP, "*"], "credentials": True}, "needs exact origins"),
        ({"origins": ["null"], "credentials": True}, "needs exact origins"),
        ({"origins": [SHOP], "credentials": True, "expose": "*"}, "exact names in expose"),
        ({"origins": []}, "lets nobody in"),
        ({"origins": ["shop.example"]}, "'shop.example' is not an origin"),
        ({"origins": ["https://shop.example/"]}, "is not an origin"),
        ({"origins": ["https://shop.example/path"]}, "is not an origin"),
        ({"origins": ["https://user@shop.example"]}, "is not an origin"),
        ({"origins": ["https://*"]}, "is not an origin.*origin_pattern"),
        ({"origins": ["https://shop.*.example"]}, "is not an origin"),
        ({"origins": ["https://*shop.example"]}, "is not an origin"),
        ({"origins": ["https://shop.example:99999"]}, "ports are 1 to 65535"),
        ({"origins": "https://shop.example:0"}, "ports are 1 to 65535"),
        ({"origin_pattern": ".*", "credentials": True}, "lets pages of anybody in"),
        ({"origin_pattern": r"https?://.+", "credentials": True}, "lets pages of anybody in"),
        ({"origins": "https://shop.example", "credentials": "false"}, "give True or False"),
        ({"allow_private_network": "no"}, "give True or False"),
        ({"origins": ["https://shop.example\r\nX-Evil: 1"]}, "is not an origin"),
        ({"origins": ["https://shop.example\n"]}, "is not an origin"),
        ({"origins": [5]}, "5 is not text"),
        ({"origins": 5}, "5 is not text"),
        ({"origin_pattern": "("}, "is not a regular expression"),
        ({"origin_pattern": b"a"}, "give text"),
        ({"expose": "X-B\r\nX-Evil: 1"}, "is not a name"),
        ({"expose": ["X B"]}, "'X B' is not a name"),
        ({"expose": b"X-B"}, "is not text"),
        ({"headers": "X-A\nX-B"}, "is not a name"),
        ({"headers": ["X-A:"]}, "is not a name"),
        ({"methods": ["GET\r\n"]}, "is not a name"),
        ({"max_age": -1}, "max_age=-1"),
        ({"max_age": "1\r\n"}, "max_age"),
    ],
)
def test_what_would_be_unsafe_or_useless_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"Cors.*{message}"):
        Cors(**arguments)


@pytest.mark.parametrize("given", ["X-A, X-B", ["X-A", "X-B"], ("X-A", "X-B")])
def test_names_are_a_text_or_a_list(given: Any) -> None:
    cors = Cors(SHOP, expose=given, headers=given, methods="GET, put")
    assert granted(ask(cors, SHOP)) == {"allow-origin": SHOP, "expose-headers": "X-A, X-B"}
    answer = granted(preflight(cors, SHOP))
    assert (answer["allow-headers"], answer["allow-methods"]) == ("X-A, X-B", "GET, PUT")


def test_one_exposed_header_stays_one() -> None:
    assert granted(ask(Cors(expose="X-B"), SHOP))["expose-headers"] == "X-B"


def test_any_method_and_header_is_what_was_asked_for() -> None:
    cors = Cors(SHOP, methods="*", headers=["*"], credentials=True)
    answer = granted(preflight(cors, SHOP, Access_Control_Request_Headers="x-a"))
    assert (answer["allow-methods"], answer["allow-headers"]) == ("PUT", "x-a")


@pytest.mark.parametrize(
    ("configured", "sent"),
    [
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("https://shop.example:08443", "https://shop.example:8443"),
        ("https://Käse.example", "https://xn--kse-qla.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("https://other.example, https://shop.example", "https://shop.example"),
        ("null", "null"),
    ],
)
def test_origins_match_as_browsers_send_them(configured: str, sent: str) -> None:
    assert granted(ask(Cors(configured), sent)) == {"allow-origin": sent}


@pytest.mark.parametrize(
    ("sent", "allowed"),
    [
        ("https://a.shop.example", True),
        ("https://a.b.shop.example", True),
        ("https://shop.example", False),
        ("https://evilshop.example", False),
        ("http://a.shop.example", False),
        ("https://a.shop.example:444", False),
        ("https://a.shop.example.evil.example", False),
        ("https://a/shop.example", False),
        ("https://evil.example/.shop.example", False),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [{"origins": "https://*.Shop.example:443"}, {"origin_pattern": r"https://([a-z]+\.)+shop\.example"}],
)
def test_a_pattern_stands_for_many_origins(arguments: dict[str, Any], sent: str, allowed: bool) -> None:
    answer = ask(Cors(credentials=True, **arguments), sent)
    assert granted(answer) == ({"allow-origin": sent, "allow-credentials": "true"} if allowed else {})
    assert answer.headers["vary"] == "Origin"


def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    resp.set_header("Vary", "Accept-Language")
    return resp.plain("hello")


async def home_later(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return home(req, resp)


def home_varies_already(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    resp.set_header("Vary", "accept, origin")
    return resp.plain("hello")


@pytest.mark.parametrize(
    ("handler", "vary"),
    [
        (home, ["Accept-Language", "Origin"]),
        (home_later, ["Accept-Language", "Origin"]),
        (home_varies_already, ["accept, origin"]),
    ],
)
@pytest.mark.parametrize("is_app_wide", [True, False])
def test_a_handler_that_sets_vary_does_not_lose_the_origin(handler: Any, vary: list[str], is_app_wide: bool) -> None:
    app = Slime(__file__)
    app.route("/", plugin=None if is_app_wide else Cors(SHOP))(handler)
    if is_app_wide:
        app.use(Cors(SHOP))
    with TestClient(app) as client:
        assert client.get("/", headers={"Origin": SHOP}).header_all("vary") == vary
        assert client.get("/").header_all("vary") == vary


@pytest.mark.parametrize("handler", [home, home_later])
def test_a_route_s_own_cors_counts_instead_of_the_application_s(handler: Any) -> None:
    app = Slime(__file__)
    app.route("/narrow", plugin=Cors(SHOP, credentials=True))(handler)
    app.route("/wide")(handler)
    app.route("/mixed", plugin=Cors(SHOP))(handler)
    app.route("/mixed", method="PUT")(handler)
    app.route("/all", method="*", plugin=Cors(SHOP))(handler)
    app.use(Cors(expose="X-Total"))
    any_origin = {"allow-origin": "*", "expose-headers": "X-Total"}
    with TestClient(app) as client:

        def asked(path: str, origin: str, method: str | None = None) -> dict[str, str]:
            headers = {"Origin": origin, **({"Access-Control-Request-Method": method} if method else {})}
            answer = client.request("OPTIONS" if method else "GET", path, headers=headers)
            assert answer.status_code == (204 if method else 200)
            return {name: value for name, value in granted(answer).items() if name in any_origin}

        assert asked("/narrow", SHOP) == asked("/narrow", SHOP, "GET") == {"allow-origin": SHOP}
        assert asked("/narrow", EVIL) == asked("/narrow", EVIL, "GET") == {}
        assert asked("/wide", EVIL) == any_origin
        assert asked("/wide", EVIL, "GET") == {"allow-origin": "*"}
        assert asked("/mixed", EVIL) == asked("/mixed", EVIL, "GET") == asked("/mixed", EVIL, "HEAD") == {}
        assert asked("/mixed", EVIL, "PUT") == {"allow-origin": "*"}
        assert asked("/all", EVIL) == asked("/all", EVIL, "PUT") == {}
        refused = client.get("/nowhere", headers={"Origin": EVIL})
        assert (refused.status_code, granted(refused)) == (404, any_origin)


def test_a_private_network_opens_only_when_it_is_said() -> None:
    asked = {"Access_Control_Request_Private_Network": "true"}
    opened = Cors(SHOP, allow_private_network=True)
    assert granted(preflight(opened, SHOP, **asked))["allow-private-network"] == "true"
    assert "allow-private-network" not in granted(preflight(opened, SHOP))
    assert granted(preflight(opened, EVIL, **asked)) == {}
    assert "allow-private-network" not in granted(preflight(Cors(SHOP), SHOP, **asked))


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
