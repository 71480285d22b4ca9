"""The API against a real database: that of DATABASE_URL, and SQLite's."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from main import app

from slimeweb.testing import TestClient


@pytest.fixture(params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("NOTES_FILE", str(tmp_path / "notes.db"))
    if request.param == "sqlite":
        monkeypatch.delenv("DATABASE_URL", raising=False)
    elif "DATABASE_URL" not in os.environ:
        pytest.skip("DATABASE_URL names no PostgreSQL")
    else:
        pytest.importorskip("asyncpg")
    with TestClient(app, workers=2, docs=True) as client:
        yield client


@pytest.fixture
def account(client: TestClient) -> dict[str, str]:
    """A new one, logged in to."""
    account = {"name": f"ada-{secrets.token_hex(4)}", "password": "correct horse"}
    assert client.post("/accounts", json=account).status_code == 201
    assert client.post("/login", json=account).status_code == 204
    return account


def test_what_is_not_logged_in_sees_nothing(client: TestClient) -> None:
    assert client.get("/notes").status_code == 401
    client.cookies["user"] = "ada"
    assert client.get("/notes").status_code == 401, "a cookie that a client has made up"


def test_an_account_has_one_name_and_one_password(client: TestClient, account: dict[str, str]) -> None:
    assert client.post("/accounts", json=account).status_code == 409
    client.cookies.clear()
    for wrong in ({**account, "password": "wrong horse"}, {**account, "name": "nobody"}):
        assert client.post("/login", json=wrong).status_code == 401
    assert client.get("/notes").status_code == 401


def test_a_note_is_kept_changed_and_deleted(client: TestClient, account: dict[str, str]) -> None:
    made = client.post("/notes", json={"title": "tea", "text": "buy"})
    note, place = made.json(), made.headers["location"]
    assert (made.status_code, place) == (201, f"/notes/{note['id']}")
    assert client.get(place).json() == note
    changed = client.put(place, json={"title": "tea", "text": "bought"})
    assert changed.json() == {**note, "text": "bought"}
    assert client.delete(place).status_code == 204
    for method in ("GET", "DELETE"):
        assert client.request(method, place).status_code == 404
    assert client.put(place, json={"title": "tea"}).status_code == 404


def test_what_does_not_fit_is_told(client: TestClient, account: dict[str, str]) -> None:
    answer = client.post("/notes", json={"title": "", "text": 1})
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} == {"#/title", "#/text"}


def test_notes_come_in_pages(client: TestClient, account: dict[str, str]) -> None:
    for number in range(5):
        client.post("/notes", json={"title": str(number)})
    pages, place = [], "/notes?limit=2"
    while place is not None:
        page = client.get(place).json()
        pages.append([note["title"] for note in page["notes"]])
        place = page["next"]
        assert place is None or urlsplit(place).path == "/notes"
    assert pages == [["4", "3"], ["2", "1"], ["0"]]


def test_notes_are_their_owners(client: TestClient, account: dict[str, str]) -> None:
    place = client.post("/notes", json={"title": "secret"}).headers["location"]
    client.post("/logout")
    assert client.get(place).status_code == 401
    other = {**account, "name": f"{account['name']}-other"}
    client.post("/accounts", json=other)
    client.post("/login", json=other)
    assert client.get(place).status_code == 404
    assert client.get("/notes").json() == {"notes": [], "next": None}


def test_many_at_once_lose_nothing(client: TestClient, account: dict[str, str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: client.post("/notes", json={"title": str(n)}), range(100)))
    assert {each.status_code for each in made} == {201}
    assert len({each.json()["id"] for each in made}) == 100


def test_the_document_has_every_route(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/accounts", "/login", "/logout", "/notes", "/notes/{note}"} <= set(paths)
    assert set(paths["/notes"]["post"]["responses"]) >= {"200", "422"}
