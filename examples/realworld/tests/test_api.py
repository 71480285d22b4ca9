"""The API of the RealWorld specification, restated: what each request needs, answers and changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from main import app

from slimeweb.testing import TestClient, TestResponse

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ARTICLE = {"title": "How to train your dragon", "description": "Ever wonder how?", "body": "You have to believe."}


class Person:
    """Somebody with an account, and what they send."""

    def __init__(self, client: TestClient, name: str) -> None:
        self.name = name
        self._client = client
        self._headers: dict[str, str] = {}
        given = {"username": name, "email": f"{name}@example.com", "password": "secret"}
        answer = self.send("POST", "/users", {"user": given})
        assert answer.status_code == 201
        self.account = answer.json()["user"]
        self._headers = {"Authorization": f"Token {self.account['token']}"}

    def send(self, method: str, path: str, body: object = None) -> TestResponse:
        return self._client.request(method, f"/api{path}", json=body, headers=self._headers)

    def publish(self, **changes: Any) -> dict[str, Any]:
        answer = self.send("POST", "/articles", {"article": {**ARTICLE, **changes}})
        assert answer.status_code == 201
        return answer.json()["article"]  # type: ignore[no-any-return]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("CONDUIT_DATABASE", str(tmp_path / "conduit.db"))
    with TestClient(app, workers=2, docs=True) as client:
        yield client


@pytest.fixture
def ada(client: TestClient) -> Person:
    return Person(client, "ada")


@pytest.fixture
def bob(client: TestClient) -> Person:
    return Person(client, "bob")


def titles(answer: TestResponse) -> list[str]:
    body = answer.json()
    assert body["articlesCount"] >= len(body["articles"])
    return [article["title"] for article in body["articles"]]


def test_an_account_is_made_and_logged_in_to(client: TestClient, ada: Person) -> None:
    assert {**ada.account, "token": ...} == {
        "email": "ada@example.com",
        "username": "ada",
        "bio": None,
        "image": None,
        "token": ...,
    }
    login = {"user": {"email": "ada@example.com", "password": "secret"}}
    answer = client.post("/api/users/login", json=login)
    assert (answer.status_code, answer.json()["user"]["username"]) == (200, "ada")
    assert ada.send("GET", "/user").json()["user"]["email"] == "ada@example.com"


@pytest.mark.parametrize("email", ["ada@example.com", "else@example.com"])
def test_a_wrong_password_or_address_is_a_401(client: TestClient, ada: Person, email: str) -> None:
    answer = client.post("/api/users/login", json={"user": {"email": email, "password": "wrong"}})
    assert (answer.status_code, answer.json()) == (401, {"errors": {"email or password": ["is invalid"]}})


def test_names_and_addresses_are_taken_once(client: TestClient, ada: Person, bob: Person) -> None:
    for field, value in (("username", "ada"), ("email", "ada@example.com")):
        new = {"username": "eve", "email": "eve@example.com", "password": "secret", field: value}
        for answer in (
            client.post("/api/users", json={"user": new}),
            bob.send("PUT", "/user", {"user": {field: value}}),
        ):
            assert (answer.status_code, answer.json()) == (422, {"errors": {field: ["has already been taken"]}})


def test_what_is_missing_or_empty_is_a_422_that_names_it(client: TestClient) -> None:
    answer = client.post("/api/users", json={"user": {"username": "", "email": "a@b"}})
    assert (answer.status_code, set(answer.json()["errors"])) == (422, {"username", "password"})


@pytest.mark.parametrize("token", ["", "1", "1.abc", "x.é", "2.{signature}"])
def test_a_token_that_is_not_ours_is_a_401(client: TestClient, ada: Person, token: str) -> None:
    signature = ada.account["token"].partition(".")[2]
    headers = {"Authorization": f"Token {token.format(signature=signature)}".encode()}
    assert client.get("/api/user", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/user"),
        ("PUT", "/user"),
        ("POST", "/profiles/ada/follow"),
        ("DELETE", "/profiles/ada/follow"),
        ("GET", "/articles/feed"),
        ("POST", "/articles"),
        ("PUT", "/articles/x"),
        ("DELETE", "/articles/x"),
        ("POST", "/articles/x/favorite"),
        ("DELETE", "/articles/x/favorite"),
        ("POST", "/articles/x/comments"),
        ("DELETE", "/articles/x/comments/1"),
    ],
)
def test_what_only_users_may_do_is_a_401_without_a_token(client: TestClient, method: str, path: str) -> None:
    bodies = {
        "/user": {"user": {}},
        "/articles": {"article": ARTICLE},
        "/articles/x": {"article": {}},
        "/articles/x/comments": {"comment": {"body": "b"}},
    }
    body = bodies.get(path) if method in ("POST", "PUT") else None
    answer = client.request(method, f"/api{path}", json=body)
    assert (answer.status_code, answer.json()) == (401, {"errors": {"token": ["is missing"]}})


def test_an_account_is_changed_in_what_is_given(client: TestClient, ada: Person) -> None:
    account = ada.send("PUT", "/user", {"user": {"bio": "Countess", "password": "new secret"}}).json()["user"]
    assert (account["bio"], account["username"]) == ("Countess", "ada")
    login = {"user": {"email": "ada@example.com", "password": "new secret"}}
    assert client.post("/api/users/login", json=login).status_code == 200
    assert ada.send("PUT", "/user", {"user": {"bio": None}}).json()["user"]["bio"] is None


def test_users_follow_each_other(client: TestClient, ada: Person, bob: Person) -> None:
    def seen(answer: TestResponse) -> object:
        return answer.json()["profile"]["following"]

    assert client.get("/api/profiles/bob").json() == {
        "profile": {"username": "bob", "bio": None, "image": None, "following": False}
    }
    for _ in range(2):
        assert seen(ada.send("POST", "/profiles/bob/follow")) is True
    assert seen(ada.send("GET", "/profiles/bob")) is True
    assert seen(bob.send("GET", "/profiles/ada")) is False
    for _ in range(2):
        assert seen(ada.send("DELETE", "/profiles/bob/follow")) is False
    answer = ada.send("POST", "/profiles/nobody/follow")
    assert (answer.status_code, answer.json()) == (404, {"errors": {"profile": ["not found"]}})


def test_an_article_is_published_and_shown(client: TestClient, ada: Person) -> None:
    article = ada.publish(tagList=["training", "dragons", "training"])
    assert re.fullmatch("how-to-train-your-dragon-[0-9a-f]{8}", article["slug"])
    assert TIME.fullmatch(article["createdAt"])
    assert article["updatedAt"] == article["createdAt"]
    assert article["tagList"] == ["dragons", "training"]
    assert (article["favorited"], article["favoritesCount"]) == (False, 0)
    assert article["author"] == {"username": "ada", "bio": None, "image": None, "following": False}
    assert client.get(f"/api/articles/{article['slug']}").json() == {"article": article}
    assert client.get("/api/articles/else").status_code == 404


def test_the_same_title_may_be_had_twice(ada: Person) -> None:
    assert ada.publish()["slug"] != ada.publish()["slug"]
    assert ada.publish(title="龍")["slug"]


def test_an_article_is_changed_and_deleted_by_its_author_alone(client: TestClient, ada: Person, bob: Person) -> None:
    old = ada.publish(tagList=["dragons"])
    slug = old["slug"]
    for method in ("PUT", "DELETE"):
        body = {"article": {"body": "mine"}} if method == "PUT" else None
        assert bob.send(method, f"/articles/{slug}", body).status_code == 403
    changed = ada.send("PUT", f"/articles/{slug}", {"article": {"body": "With two hands"}}).json()["article"]
    assert {**changed, "updatedAt": ...} == {**old, "body": "With two hands", "updatedAt": ...}
    moved = ada.send("PUT", f"/articles/{slug}", {"article": {"title": "New"}}).json()["article"]["slug"]
    assert client.get(f"/api/articles/{slug}").status_code == 404
    answer = ada.send("DELETE", f"/articles/{moved}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(f"/api/articles/{moved}").status_code == 404
    assert client.get("/api/tags").json() == {"tags": []}


def test_articles_are_listed_newest_first_by_author_tag_and_favorite(
    client: TestClient, ada: Person, bob: Person
) -> None:
    first = ada.publish(title="first", tagList=["a", "b"])
    bob.publish(title="second", tagList=["b"])
    bob.send("POST", f"/articles/{first['slug']}/favorite")
    found = {
        "": ["second", "first"],
        "?author=ada": ["first"],
        "?author=nobody": [],
        "?tag=b": ["second", "first"],
        "?tag=a": ["first"],
        "?favorited=bob": ["first"],
        "?favorited=ada": [],
        "?limit=1": ["second"],
        "?limit=1&offset=1": ["first"],
        "?tag=b&author=bob": ["second"],
    }
    assert {query: titles(client.get(f"/api/articles{query}")) for query in found} == found
    listed = bob.send("GET", "/articles?author=ada").json()["articles"][0]
    assert (listed["favorited"], listed["favoritesCount"], "body" in listed) == (True, 1, False)
    assert client.get("/api/tags").json() == {"tags": ["b", "a"]}


@pytest.mark.parametrize("query", ["limit=-1", "limit=1000", "offset=x"])
def test_a_page_that_there_cannot_be_is_a_422(client: TestClient, query: str) -> None:
    answer = client.get(f"/api/articles?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [query.partition("=")[0]])


def test_a_feed_has_those_whom_one_follows(ada: Person, bob: Person) -> None:
    bob.publish(title="bob's")
    ada.publish(title="ada's")
    assert titles(ada.send("GET", "/articles/feed")) == []
    ada.send("POST", "/profiles/bob/follow")
    feed = ada.send("GET", "/articles/feed")
    assert titles(feed) == ["bob's"]
    assert feed.json()["articlesCount"] == 1
    assert feed.json()["articles"][0]["author"]["following"] is True


def test_favorites_are_counted(ada: Person, bob: Person) -> None:
    slug = ada.publish()["slug"]

    def favorite(person: Person, method: str) -> tuple[bool, int]:
        article = person.send(method, f"/articles/{slug}/favorite").json()["article"]
        return article["favorited"], article["favoritesCount"]

    assert favorite(bob, "POST") == (True, 1)
    assert favorite(bob, "POST") == (True, 1)
    assert favorite(ada, "POST") == (True, 2)
    assert favorite(bob, "DELETE") == (False, 1)


def test_comments_are_made_and_taken_back(client: TestClient, ada: Person, bob: Person) -> None:
    slug = ada.publish()["slug"]
    answer = bob.send("POST", f"/articles/{slug}/comments", {"comment": {"body": "Thank you"}})
    comment = answer.json()["comment"]
    assert (answer.status_code, comment["body"], comment["author"]["username"]) == (201, "Thank you", "bob")
    assert isinstance(comment["id"], int)
    assert client.get(f"/api/articles/{slug}/comments").json() == {"comments": [comment]}
    path = f"/articles/{slug}/comments/{comment['id']}"
    assert ada.send("DELETE", path).status_code == 403
    assert bob.send("DELETE", path).status_code == 204
    assert bob.send("DELETE", path).status_code == 404
    assert client.get(f"/api/articles/{slug}/comments").json() == {"comments": []}


def test_a_request_that_fails_changes_nothing(client: TestClient, ada: Person) -> None:
    article = ada.publish()
    answer = ada.send("PUT", f"/articles/{article['slug']}", {"article": {"title": ""}})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["title"])
    assert client.get(f"/api/articles/{article['slug']}").json()["article"] == article


def test_pages_of_other_origins_may_use_it(client: TestClient) -> None:
    headers = {"Origin": "https://demo.example", "Access-Control-Request-Method": "PUT"}
    assert client.options("/api/user", headers=headers).headers["access-control-allow-origin"] == "*"
    assert client.get("/api/user", headers=headers).headers["access-control-allow-origin"] == "*"


def test_the_document_has_every_route(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operations = {(method, path) for path, item in document["paths"].items() for method in item}
    assert ("delete", "/api/articles/{slug}/comments/{number}") in operations
    assert len(operations) == 19
    listing = document["paths"]["/api/articles"]["get"]
    assert [each["name"] for each in listing["parameters"]] == ["tag", "author", "favorited", "limit", "offset"]
