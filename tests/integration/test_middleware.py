"""Middleware of the tour: functions, classes, Cors and the request log."""

from __future__ import annotations

import pytest

from support.condition import eventually
from support.process import ServerProcess

SHOP = {"Origin": "https://shop.example"}


@pytest.fixture(scope="module")
def tour(tour_by_version: ServerProcess) -> ServerProcess:
    """Each test over both versions of HTTP."""
    return tour_by_version


def test_a_before_that_answers_ends_the_request(tour: ServerProcess) -> None:
    answer = tour.ask("/admin")
    assert (answer.status, answer.text) == (401, "admins only")
    assert answer.header("www-authenticate") == "Bearer"


def test_a_before_hands_on_what_it_found(tour: ServerProcess) -> None:
    answer = tour.ask("/admin", headers={"Authorization": "Bearer open-sesame"})
    assert (answer.status, answer.text) == (200, "welcome, Ali Baba")
    assert answer.header("cache-control") == "no-store"


def test_app_wide_middleware_sees_every_answer(tour: ServerProcess) -> None:
    targets = ["/", "/nap/0", "/boom", "/teapot", "/nowhere", "/admin"]
    identifiers = [tour.ask(target).header("x-request-id") for target in targets]
    assert all(identifiers), dict(zip(targets, identifiers, strict=True))
    assert len(set(identifiers)) == len(targets)


def test_befores_and_afters_come_in_pairs(tour: ServerProcess) -> None:
    for target in ("/", "/nap/0", "/boom", "/teapot", "/nowhere", "/admin"):
        tour.ask(target)
    assert eventually(lambda: tour.ask("/stats").json()["in_flight"] == 1), "only the asking request itself"


def test_an_asynchronous_middleware_awaits(tour: ServerProcess) -> None:
    assert tour.ask("/api/items").header("x-api") == "1"


def test_cors_names_the_one_origin_that_is_allowed(tour: ServerProcess) -> None:
    answer = tour.ask("/api/items", headers=SHOP)
    assert answer.header("access-control-allow-origin") == "https://shop.example"
    assert "origin" in str(answer.header("vary")).lower()


def test_cors_says_nothing_to_another_origin(tour: ServerProcess) -> None:
    for origin in ("https://evil.example", "https://shop.example.evil.example", "null", "http://shop.example"):
        answer = tour.ask("/api/items", headers={"Origin": origin})
        assert answer.header("access-control-allow-origin") is None, origin
        assert "origin" in str(answer.header("vary")).lower(), "a cache must keep the two apart"


def test_a_preflight_is_answered_without_the_handler(tour: ServerProcess) -> None:
    answer = tour.ask("/api/items", "OPTIONS", headers={**SHOP, "Access-Control-Request-Method": "POST"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == "https://shop.example"
    assert "POST" in str(answer.header("access-control-allow-methods"))


def test_the_request_log_has_its_line(tour: ServerProcess) -> None:
    tour.ask("/students", "POST", body=b"{}", headers={"Content-Type": "application/json"})
    tour.wait_for_output(r"POST /students .*422", timeout=10)
