"""Routes that ask for a bearer token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from support.process import ServerProcess
from support.websocket import client_frame, open_websocket, server_frame

PLUGIN = "slimeweb-jwt"
SHARES_SERVER = True
ALSO = ("slimeweb-docs", "slimeweb-stream", "slimeweb-ws")


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key: str = "a key of the tests, long enough for HS256", algorithm: str = "HS256", **claims: Any) -> str:
    """A token by RFC 7515, made here so that the tests need no PyJWT."""
    head = encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = f"{head}.{encoded(json.dumps({'sub': 'ada', **claims}).encode())}"
    if algorithm == "none":
        return f"{signed}."
    return f"{signed}.{encoded(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


def authorization(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


@pytest.mark.parametrize("path", ["/plain", "/coroutine", "/stream"])
def test_a_token_opens_a_route_and_its_claims_are_at_hand(server: ServerProcess, path: str) -> None:
    answer = server.ask(path, headers=authorization(token()))
    assert (answer.status, answer.text) == (200, "ada")
    assert server.ask("/open").text == "open"


@pytest.mark.parametrize("path", ["/plain", "/coroutine", "/stream", "/socket"])
def test_without_a_token_the_answer_says_what_is_wanted(server: ServerProcess, path: str) -> None:
    answer = server.ask(path)
    assert (answer.status, answer.header("www-authenticate")) == (401, 'Bearer realm="application"')


@pytest.mark.parametrize(
    "value",
    ["rubbish", "", token("another key of the tests, long enough too"), token(algorithm="none"), token(exp=1)],
    ids=["rubbish", "empty", "another key", "no signature", "expired"],
)
def test_a_token_that_does_not_hold_is_refused(server: ServerProcess, value: str) -> None:
    answer = server.ask("/plain", headers=authorization(value))
    assert answer.status == 401
    assert 'error="invalid_token"' in (answer.header("www-authenticate") or "")


def test_a_scope_has_to_be_in_the_token(server: ServerProcess) -> None:
    valid = token(scope="read admin", exp=time.time() + 60)
    assert server.ask("/admin", headers=authorization(valid)).status == 200
    answer = server.ask("/admin", headers=authorization(token(scope="administrator")))
    assert answer.status == 403
    assert answer.header("www-authenticate") == 'Bearer error="insufficient_scope", scope="admin"'


def test_a_websocket_opens_with_a_token(server: ServerProcess) -> None:
    with server.wire() as wire:
        open_websocket(wire, "/socket", headers=authorization(token()))
        wire.send(client_frame(1, b"hello"))
        assert server_frame(wire).payload == b"ada: hello"


def test_the_document_says_which_routes_want_a_token(server: ServerProcess) -> None:
    document = server.ask("/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"]["/plain"]["get"]["security"] == [{"bearer": []}]
    assert {"401", "403"} <= set(document["paths"]["/admin"]["get"]["responses"])
    assert "security" not in document["paths"]["/open"]["get"]


def test_an_option_that_is_no_scope_is_refused_where_it_is_declared(server: ServerProcess) -> None:
    assert "the scope that is needed" in server.ask("/wrong").text
