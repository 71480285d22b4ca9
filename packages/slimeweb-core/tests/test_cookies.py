"""Cookies: what goes out is safe, what comes back is what was set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimeweb.cookies import format_cookie, parse_cookies, sign, unsign

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_defaults_are_careful() -> None:
    assert format_cookie("a", "b") == "a=b; Path=/; HttpOnly; SameSite=Lax"


def test_every_attribute() -> None:
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    cookie = format_cookie(
        "a",
        "b",
        path="/x",
        domain="example.com",
        max_age=60,
        expires=moment,
        secure=True,
        http_only=False,
        same_site="none",
    )
    assert cookie == (
        "a=b; Path=/x; Domain=example.com; Max-Age=60; Expires=Wed, 02 Jan 2030 01:04:05 GMT; Secure; SameSite=None"
    )


@pytest.mark.parametrize("expires", [0, 0.0, datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_date_is_utc(expires: float | datetime) -> None:
    assert "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in format_cookie("a", "b", expires=expires)


@pytest.mark.parametrize("value", ["a b", "a, b", ""])
def test_a_value_that_can_be_quoted_comes_back(value: str) -> None:
    pair = format_cookie("a", value).partition(";")[0]
    assert parse_cookies(pair) == {"a": value}


@pytest.mark.parametrize("value", ["a;b", "a\r\nb", "a\0", 'say "x"', "back\\slash", "ü", "\x7f"])
def test_a_value_that_would_break_the_header_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        format_cookie("a", value)


@pytest.mark.parametrize("key", ["", "a b", "a=b", "a;b", "ä", "a\n"])
def test_a_bad_name_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cookie name"):
        format_cookie(key, "b")


@pytest.mark.parametrize(
    "attributes",
    [{"path": "/;x"}, {"domain": "a\nb"}, {"same_site": "maybe"}, {"same_site": "None"}],
)
def test_a_bad_attribute_is_refused(attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cookie 'a'"):
        format_cookie("a", "b", **attributes)  # type: ignore[arg-type]


def test_parsing_takes_what_it_can() -> None:
    assert parse_cookies('a=1; b="two"; =x; nothing; a=3;c= 4 ;d=e=f') == {"a": "1", "b": "two", "c": "4", "d": "e=f"}


@given(TEXT)
def test_parsing_never_fails(header: str) -> None:
    assert all(name for name in parse_cookies(header))


@given(name=TEXT, value=TEXT, secret=st.text(min_size=1))
def test_what_is_signed_comes_back(name: str, value: str, secret: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in secret):
        return
    signed = sign(name, value, secret)
    assert unsign(name, signed, [secret]) == value
    assert format_cookie("a", signed).startswith(f"a={signed};")


@given(value=TEXT, garbage=TEXT)
def test_garbage_is_nobodys_signature(value: str, garbage: str) -> None:
    assert unsign("a", garbage, ["secret"]) is None
    assert unsign("a", f"{sign('a', value, 'secret')}{garbage}x", ["secret"]) is None


@given(st.data())
def test_no_character_can_be_changed(data: st.DataObject) -> None:
    signed = sign("user", "ada", "secret", now=1_700_000_000)
    at = data.draw(st.integers(0, len(signed) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda letter: letter != signed[at]))
    assert unsign("user", signed[:at] + letter + signed[at + 1 :], ["secret"]) is None


def test_another_cookies_value_is_not_taken() -> None:
    assert unsign("admin", sign("user", "ada", "secret"), ["secret"]) is None


def test_keys_rotate() -> None:
    old = sign("a", "b", "old")
    assert unsign("a", old, ["new", "old"]) == "b"
    assert unsign("a", old, ["new"]) is None


def test_a_signature_ages() -> None:
    signed = sign("a", "b", "secret", now=1000)
    assert unsign("a", signed, ["secret"], max_age=10, now=1010) == "b"
    assert unsign("a", signed, ["secret"], max_age=10, now=1011) is None
    assert unsign("a", signed, ["secret"], now=10**9) == "b"
