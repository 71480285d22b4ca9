"""Answers and bodies in MessagePack. The bytes are written out, so that nothing here needs its library."""

from __future__ import annotations

import pytest

from support.process import ServerProcess

PLUGIN = "slimeweb-msgpack"
SHARES_SERVER = True
NO_FREE_THREADED = "msgpack has no wheel for a free-threaded 3.13"
MSGPACK = "application/msgpack"

# {"name": "Ada", "numbers": [1, 2.5]}, {"born": "1815-12-10"} and {"a": 1}
ADA = b"\x82\xa4name\xa3Ada\xa7numbers\x92\x01\xcb\x40\x04\x00\x00\x00\x00\x00\x00"
BORN = b"\x81\xa4born\xaa1815-12-10"
ONE = b"\x81\xa1a\x01"


@pytest.mark.parametrize("accept", [MSGPACK, f"application/json;q=0.5, {MSGPACK}", f"*/*;q=0.1, {MSGPACK};q=0.2"])
def test_who_prefers_it_gets_messagepack(server: ServerProcess, accept: str) -> None:
    answer = server.ask("/plain", headers={"Accept": accept})
    assert (answer.status, answer.header("content-type"), answer.body) == (201, MSGPACK, ADA)
    assert answer.header("vary") == "Accept"


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", "application/json", f"{MSGPACK};q=0, application/json", f"{MSGPACK};q=x", ""]
)
def test_all_others_get_json(server: ServerProcess, accept: str) -> None:
    answer = server.ask("/plain", headers={"Accept": accept})
    assert (answer.status, answer.json()) == (201, {"name": "Ada", "numbers": [1, 2.5]})
    assert answer.header("vary") == "Accept"


def test_a_coroutine_returns_what_only_json_has_a_form_for(server: ServerProcess) -> None:
    assert server.ask("/coroutine", headers={"Accept": MSGPACK}).body == BORN


def test_text_stays_text(server: ServerProcess) -> None:
    answer = server.ask("/text", headers={"Accept": MSGPACK})
    assert (answer.text, answer.header("vary")) == ("hello", None)


@pytest.mark.parametrize(("kind", "body"), [(MSGPACK, ONE), ("application/json", b'{"a": 1}')])
def test_bodies_are_read_by_their_type(server: ServerProcess, kind: str, body: bytes) -> None:
    answer = server.ask("/echo", "POST", headers={"Content-Type": kind}, body=body)
    assert answer.json() == {"received": {"a": 1}}


@pytest.mark.parametrize(("kind", "status"), [(MSGPACK, 400), ("application/json", 400), ("text/csv", 415)])
def test_what_is_no_such_body_is_refused(server: ServerProcess, kind: str, status: int) -> None:
    for body in (ONE[:-1], b"\xc1", ONE + ONE):
        assert server.ask("/echo", "POST", headers={"Content-Type": kind}, body=body).status == status
