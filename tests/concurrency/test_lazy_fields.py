"""A request parses each field once, however many threads ask for it first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support import multipart
from support.crew import at_once

READERS = 8
ROUNDS = 25

app = Slime(__file__)


def read_together(req: SlimeRequest, field: str) -> dict[str, Any]:
    """What eight threads see that read one field at the same moment."""
    seen = at_once(READERS, lambda _: getattr(req, field))
    return {
        "objects": len({id(value) for value in seen}),
        "equal": all(value == seen[0] for value in seen),
        "text": repr(seen[0]),
    }


@app.route("/read/{field}", method="POST")
def read(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return read_together(req, req.params["field"])


@app.route("/everything", method="POST")
def everything(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """Eight threads, each starting with another field."""
    fields = ["json", "text", "query", "path", "header", "body", "form", "client"]
    seen = at_once(len(fields), lambda number: [getattr(req, fields[(number + n) % 8]) for n in range(8)])
    by_field = [
        {repr(values[(fields.index(field) - number) % 8]) for number, values in enumerate(seen)}
        for field in fields
        if field != "header"
    ]
    return {"agree": all(len(values) == 1 for values in by_field), "json": req.json}


@app.route("/file", method="POST")
def read_file(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """One upload read, and cleaned away, by several threads."""
    (file,) = req.file
    contents = at_once(READERS, lambda _: file.read())
    at_once(READERS, lambda _: file.clean())
    return {"same": len(set(contents)), "length": len(contents[0])}


@app.route("/attributes", method="POST")
def attributes(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """What middleware would set, set by several threads."""

    def change(number: int) -> None:
        for turn in range(200):
            setattr(req, f"mine_{number}", turn)
            req.shared = number
            resp.set_header(f"X-{number}", str(turn))

    at_once(READERS, change)
    return {"mine": [getattr(req, f"mine_{number}") for number in range(READERS)], "shared": req.shared}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("field", "content_type", "content"),
    [
        ("json", "application/json", b'{"a": [1, 2, {"b": null}], "c": "\xc3\xa9"}'),
        ("form", "application/x-www-form-urlencoded", b"a=1&b=2&a=3"),
        ("form", multipart.CONTENT_TYPE, multipart.body([multipart.field("a", "1")])),
        ("file", multipart.CONTENT_TYPE, multipart.body([multipart.file("f", "x", bytes(100_000))])),
        ("query", "text/plain", b""),
        ("params", "text/plain", b""),
        ("text", "text/plain; charset=utf-16", "grüezi".encode("utf-16")),
        ("body", "text/plain", b"body"),
    ],
)
def test_a_field_is_parsed_once(client: TestClient, field: str, content_type: str, content: bytes) -> None:
    for _ in range(ROUNDS):
        response = client.post(f"/read/{field}?x=1&y=2", content=content, headers={"Content-Type": content_type})
        seen = response.json()
        assert response.status_code == 200, response.text
        assert seen["equal"], seen
        assert seen["objects"] == 1, f"{field} was made more than once"


def test_a_parse_error_is_the_same_for_everyone(client: TestClient) -> None:
    for _ in range(ROUNDS):
        response = client.post("/read/json", content=b'{"a":', headers={"Content-Type": "application/json"})
        assert response.status_code == 400


def test_fields_do_not_hold_each_other_up(client: TestClient) -> None:
    for _ in range(ROUNDS):
        response = client.post("/everything?q=1", json={"a": [1, 2]})
        assert response.json() == {"agree": True, "json": {"a": [1, 2]}}


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["in memory", "on disk"])
def test_an_upload_read_by_many_threads(client: TestClient, size: int) -> None:
    body = multipart.body([multipart.file("f", "x", bytes(size))])
    for _ in range(5):
        response = client.post("/file", content=body, headers={"Content-Type": multipart.CONTENT_TYPE})
        assert response.json() == {"same": 1, "length": size}


def test_attributes_and_headers_set_by_many_threads(client: TestClient) -> None:
    response = client.post("/attributes", content=b"")
    seen = response.json()
    assert seen["mine"] == [199] * READERS
    assert seen["shared"] in range(READERS)
    assert [response.headers[f"x-{number}"] for number in range(READERS)] == ["199"] * READERS
