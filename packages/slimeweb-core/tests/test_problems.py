"""Fields that are missing, and errors as problems (RFC 9457) for clients that ask for JSON."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from slimeweb import HttpError, Slime, SlimeRequest, SlimeResponse
from slimeweb.errors import MissingField
from slimeweb.testing import TestClient
from support.parsing import serving


def answering(read: Callable[[SlimeRequest], Any], *, later: bool = False, customised: bool = False) -> Slime:
    app = Slime(__file__)

    async def read_later(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return read(req)

    app.route(path="/", method="POST", body_size=1000)(read_later if later else lambda req, resp: read(req))
    if customised:
        # Refusals go through Python as soon as there is any handler.
        app.error(418)(lambda req, resp, exc: "a teapot")
    return app


@pytest.mark.parametrize("later", [False, True], ids=["plain", "coroutine"])
@pytest.mark.parametrize(
    ("read", "detail"),
    [
        (lambda req: req.query["page"], 'missing query parameter "page"'),
        (lambda req: req.form["page"], 'missing form field "page"'),
        (lambda req: req.header["X-Page"], 'missing header "X-Page"'),
        (lambda req: req.get_cookies()["page"], 'missing cookie "page"'),
    ],
)
def test_a_field_that_is_missing_is_a_400_that_names_it(
    read: Callable[[SlimeRequest], Any], detail: str, later: bool
) -> None:
    with TestClient(answering(read, later=later)) as client:
        answer = client.post("/")
        assert (answer.status_code, answer.text) == (400, detail)
        problem = client.post("/", headers={"Accept": "application/json"}).json()
        assert (problem["detail"], problem["errors"][0]["type"]) == (detail, "missing")


def test_a_missing_field_is_a_keyerror_and_get_gives_none() -> None:
    def read(req: SlimeRequest) -> list[object]:
        for fields in (req.query, req.form, req.header, req.get_cookies()):
            with pytest.raises(KeyError) as caught:
                fields["x"]
            assert isinstance(caught.value, MissingField)
            assert caught.value.args[0] == "x"
        assert pickle.loads(pickle.dumps(req.query)) == {"a": "1"}
        return [req.query.get("x"), req.form.get("x"), req.header.get("x"), req.get_cookies().get("x"), req.query]

    with TestClient(answering(read)) as client:
        assert client.post("/?a=1").json() == [None, None, None, None, {"a": "1"}]


@pytest.mark.parametrize("later", [False, True], ids=["plain", "coroutine"])
@pytest.mark.parametrize("customised", [False, True], ids=["server", "handlers"])
def test_refusals_are_problems_for_who_names_json_and_text_for_all_others(customised: bool, later: bool) -> None:
    def conflict(req: SlimeRequest) -> None:
        raise HttpError(409, 'taken: "ada"')

    with TestClient(answering(conflict, later=later, customised=customised)) as client:
        for method, path, body, status in [
            ("GET", "/nowhere", b"", 404),
            ("PUT", "/", b"", 405),
            ("POST", "/", b"x" * 2000, 400),
            ("POST", "/", b"", 409),
        ]:
            for accept in ("application/json", "text/html, application/vnd.api+json;q=0.5"):
                answer = client.request(method, path, content=body, headers={"Accept": accept})
                assert answer.status_code == status
                assert answer.headers["content-type"] == "application/problem+json"
                problem = answer.json()
                assert (problem["type"], problem["status"]) == ("about:blank", status)
                assert problem["title"]
                assert problem.get("detail") != ""
                assert answer.headers["vary"] == "Accept"
            for accept in ("*/*", "text/html", "application/json;q=0"):
                answer = client.request(method, path, content=body, headers={"Accept": accept})
                assert answer.status_code == status
                assert answer.headers["content-type"] == "text/plain; charset=utf-8"
                assert answer.headers["vary"] == "Accept"
        taken = client.post("/", headers={"Accept": "application/json"}).json()
        assert taken["detail"] == 'taken: "ada"'


class Model(BaseModel):
    name: str
    age: int = 0
    scores: list[float] = []


TYPES = st.one_of(
    st.sampled_from(
        [
            "application/json",
            "application/x+json",
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=klingon",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "text/plain",
        ]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"1" * 5000, b"[" * 400, b'{"name":"\\ud800"}', b"--x\r\n", b'{"name":1e999}', b"name=%FF&name=%"]
    ),
    st.text('{}[]":,\\ne0123456789-.NaInfityrulsam=&%', max_size=40).map(str.encode),
)


def test_no_bytes_and_no_content_type_make_parse_fail() -> None:
    with TestClient(serving(Model)) as client:

        @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(TYPES, BODIES)
        def ask(kind: str, body: bytes) -> None:
            answer = client.post("/", content=body, headers={"Content-Type": kind})
            assert answer.status_code in (200, 400, 413, 415, 422), (kind, body, answer.text)

        ask()
