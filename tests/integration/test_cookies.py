"""Cookies over the wire: attributes, signatures, and what becomes of forged ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.process import ServerProcess, StartTour
from support.wire import Answer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def tour(tour_by_version: ServerProcess) -> ServerProcess:
    """Each test over both versions of HTTP."""
    return tour_by_version


def cookies_set(answer: Answer) -> dict[str, tuple[str, set[str]]]:
    """Name -> (value as sent, attributes in lower case)."""
    found = {}
    for line in answer.header_all("set-cookie"):
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        found[name] = (value, {attribute.strip().lower() for attribute in attributes})
    return found


@pytest.fixture(scope="module")
def signed(tour: ServerProcess) -> dict[str, str]:
    """Two cookies that the server signed, as they were sent."""
    login = tour.ask("/login", "POST", headers=FORM, body=b"name=anna")
    theme = tour.ask("/theme/dark", "POST")
    return {"user": cookies_set(login)["user"][0], "theme": cookies_set(theme)["theme"][0]}


def read_back(tour: ServerProcess, **cookies: str) -> dict[str, Any]:
    line = "; ".join(f"{name}={value}" for name, value in cookies.items())
    answer = tour.ask("/me", headers={"Cookie": line})
    assert answer.status == 200
    seen: dict[str, Any] = answer.json()
    return seen


def test_cookies_are_careful_by_default(tour: ServerProcess) -> None:
    answer = tour.ask("/login", "POST", headers=FORM, body=b"name=anna")
    assert (answer.status, answer.header("location")) == (303, "/me")
    cookies = cookies_set(answer)
    assert cookies["greeted"] == ("yes", {"path=/", "httponly", "samesite=strict"})
    assert cookies["user"][1] == {"path=/", "httponly", "samesite=lax", "max-age=3600"}


def test_signed_cookies_read_back(tour: ServerProcess, signed: dict[str, str]) -> None:
    assert read_back(tour, **signed, plain="1") == {
        "user": "anna",
        "theme": "dark",
        "cookies": ["plain", "theme", "user"],
    }


def test_any_change_to_a_signed_cookie_makes_it_none(tour: ServerProcess, signed: dict[str, str]) -> None:
    value = signed["user"]
    for position in range(len(value)):
        changed = "A" if value[position] != "A" else "B"
        forged = value[:position] + changed + value[position + 1 :]
        assert read_back(tour, user=forged)["user"] is None, f"character {position} of {value!r}"


@pytest.mark.parametrize(
    "forge",
    [
        lambda value: value[:-1],
        lambda value: value + "A",
        lambda value: value.upper(),
        lambda value: "anna",
        lambda value: "",
        lambda value: "." * 5,
        lambda value: "é" * 40,
        lambda value: "A" * 30_000,
    ],
    ids=["shorter", "longer", "upper case", "bare", "empty", "dots", "not ASCII", "huge"],
)
def test_a_forged_cookie_is_none(tour: ServerProcess, signed: dict[str, str], forge: Callable[[str], str]) -> None:
    assert read_back(tour, user=forge(signed["user"]))["user"] is None


def test_swapped_cookies_are_none(tour: ServerProcess, signed: dict[str, str]) -> None:
    """A value signed under one name is nothing under another."""
    seen = read_back(tour, user=signed["theme"], theme=signed["user"])
    assert (seen["user"], seen["theme"]) == (None, None)


def test_another_key_reads_none_and_an_old_key_still_reads(signed: dict[str, str], start_tour: StartTour) -> None:
    other = start_tour(SLIME_SECRET_KEY="quite another key")
    assert read_back(other, **signed)["user"] is None


@pytest.mark.parametrize(
    "line", ["=", ";;;", "a", "a=b=c", 'a="b', "\xff=\xff", ", , ,", "user", "a=1; a=2", "x" * 20_000]
)
def test_odd_cookie_lines_do_no_harm(tour: ServerProcess, line: str) -> None:
    with tour.wire() as wire:
        wire.send(b"GET /me HTTP/1.1\r\nHost: t\r\nCookie: " + line.encode("latin-1") + b"\r\n\r\n")
        answer = wire.answer()
    assert answer.status == 200
    assert answer.json()["user"] is None
