"""Cookies: what goes out is safe, what comes back is what was set."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from http.cookies import SimpleCookie
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimeweb._cookies import cookie_identity, format_cookie, format_deletion, parse_cookies
from slimeweb._signing import sign, unsign

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


@pytest.mark.parametrize(
    "expires",
    ["Wed, 02 Jan 2030 01:04:05 GMT", "Wed, 2 Jan 2030 03:04:05 +0200", "Wednesday, 02-Jan-30 01:04:05 GMT"],
)
def test_a_date_may_be_text(expires: str) -> None:
    assert "; Expires=Wed, 02 Jan 2030 01:04:05 GMT;" in format_cookie("a", "b", expires=expires)


@pytest.mark.parametrize("expires", ["tomorrow", "", "2030-01-02"])
def test_text_that_is_no_date_is_refused(expires: str) -> None:
    with pytest.raises(ValueError, match=r"expires=.* is no date"):
        format_cookie("a", "b", expires=expires)


def test_a_time_from_now_becomes_a_date() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    cookie = format_cookie("a", "b", expires=timedelta(days=1), max_age=timedelta(minutes=2))
    date = cookie.partition("Expires=")[2].partition(";")[0]
    assert before <= parsedate_to_datetime(date) - timedelta(days=1) <= datetime.now(UTC)
    assert "; Max-Age=120;" in cookie


@pytest.mark.parametrize("name", ["__Host-a", "__HOST-a", "__Secure-a", "__secure-a"])
def test_a_prefix_needs_secure(name: str) -> None:
    with pytest.raises(ValueError, match="without secure=True"):
        format_cookie(name, "b")
    assert format_cookie(name, "b", secure=True) == f"{name}=b; Path=/; Secure; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize("attributes", [{"path": "/x"}, {"path": None}, {"domain": "example.com"}])
def test_a_host_cookie_is_for_the_whole_of_one_host(attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="__Host-"):
        format_cookie("__Host-a", "b", secure=True, **attributes)  # type: ignore[arg-type]
    assert format_cookie("__Secure-a", "b", secure=True, **attributes)  # type: ignore[arg-type]


def test_a_partitioned_cookie_is_secure() -> None:
    assert format_cookie("a", "b", secure=True, partitioned=True).endswith("; SameSite=Lax; Partitioned")
    with pytest.raises(ValueError, match="partitioned"):
        format_cookie("a", "b", partitioned=True)


def test_a_cookie_is_no_longer_than_browsers_take() -> None:
    room = 4096 - len(format_cookie("a", ""))
    # An empty value has no quotes.
    assert len(format_cookie("a", "x" * room)) == 4096
    with pytest.raises(ValueError, match="4097 bytes"):
        format_cookie("a", "x" * (room + 1))
    with pytest.raises(ValueError, match="bytes"):
        format_cookie("a", "x", path="/" * 4096)


def test_a_deletion_is_a_cookie_that_has_expired() -> None:
    assert format_deletion("a", path="/x", domain="example.com") == (
        "a=; Path=/x; Domain=example.com; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize(
    ("name", "attributes"),
    [("__Host-a", {}), ("__Secure-a", {}), ("a", {"partitioned": True}), ("a", {"same_site": "None"})],
)
def test_what_can_only_be_set_securely_can_be_deleted(name: str, attributes: dict[str, Any]) -> None:
    assert "; Secure;" in format_deletion(name, **attributes)


def test_what_tells_cookies_apart() -> None:
    first = cookie_identity(format_cookie("a", "1", domain=".Example.com"))
    assert first == cookie_identity(format_cookie("a", "2", domain="example.com", max_age=1, http_only=False))
    others = [
        format_cookie("A", "1", domain="example.com"),
        format_cookie("a", "1"),
        format_cookie("a", "1", domain="example.com", path="/x"),
        format_cookie("a", "1", domain="example.com", secure=True, partitioned=True),
    ]
    assert len({first, *map(cookie_identity, others)}) == 5


def test_parsing_takes_what_it_can() -> None:
    assert parse_cookies('a=1; b="two"; ;=; a=3;c= 4 ;d=e=f') == {"a": "1", "b": "two", "c": "4", "d": "e=f"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (r'"a\054b\073c"', "a,b;c"),
        (r'"say \"x\" \\ y"', r'say "x" \ y'),
        (r'"\374"', "ü"),
        (r'"\400\08\"', "40008\\"),
        (r"a\054b", r"a\054b"),
        ('"', '"'),
        ('""', ""),
    ],
)
def test_quoted_values_read_as_http_cookies_reads_them(value: str, read: str) -> None:
    assert parse_cookies(f"a={value}") == {"a": read}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"a=\xc3\xa9; b=1", {"a": "é", "b": "1"}),
        (b"a=\xe9; b=\xc3\xa9", {"a": "é", "b": "é"}),
        ('a="€"; é=日本'.encode(), {"a": "€", "é": "日本"}),
        (b"a=\xc3", {"a": "\xc3"}),
    ],
)
def test_what_is_beyond_ascii_is_utf_8_as_scripts_write_it(sent: bytes, read: dict[str, str]) -> None:
    assert parse_cookies(sent.decode("latin-1")) == read


@given(st.text(st.characters(max_codepoint=255)))
def test_what_http_cookies_writes_reads_back(value: str) -> None:
    coded = SimpleCookie().value_encode(value)[1]
    # Newer versions refuse control characters only when they write the header.
    assert parse_cookies(f"a={coded}").get("a", "") == value


@pytest.mark.parametrize("header", ["token", "=token", " token ; a=1", "a=1; =token", "token; second"])
def test_a_pair_without_a_name_has_an_empty_one(header: str) -> None:
    assert parse_cookies(header)[""] == "token"


@given(TEXT)
def test_parsing_never_fails(header: str) -> None:
    assert all(name or value for name, value in parse_cookies(header).items())


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


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"max_age": float("nan")}, "max_age=nan: give a number of seconds"),
        ({"max_age": float("inf")}, "max_age=inf: give a number of seconds"),
        ({"max_age": "soon"}, "max_age='soon': give a number of seconds"),
        ({"max_age": True}, "max_age=True: give a number of seconds"),
        ({"expires": True}, "expires=True is no moment"),
        ({"expires": 1e20}, "is no moment"),
        ({"expires": float("nan")}, "expires=nan is no moment"),
        ({"expires": timedelta(days=9_999_999)}, "is no moment"),
        ({"expires": [1]}, "is no moment"),
        ({"domain": ""}, "is not the name of a host"),
        ({"domain": "example.com:80"}, "is not the name of a host"),
        ({"domain": "https://example.com"}, "is not the name of a host"),
        ({"domain": "a b"}, "is not the name of a host"),
        ({"domain": "münchen.de"}, "in its ASCII form"),
        ({"path": ""}, "does not begin with '/'"),
        ({"path": "shop"}, "does not begin with '/'"),
        ({"path": "/ä"}, "percent-encoded"),
        ({"path": 5}, "path=5 is not text"),
        ({"domain": 5}, "domain=5 is not text"),
        ({"same_site": True}, "same_site=True is not text"),
        ({"secure": "false"}, "secure='false': give True or False"),
        ({"http_only": "no"}, "http_only='no': give True or False"),
        ({"partitioned": "no"}, "partitioned='no': give True or False"),
    ],
)
def test_what_browsers_would_ignore_or_read_otherwise_is_refused(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"cookie 'a': .*{message}"):
        format_cookie("a", "b", **attributes)


@pytest.mark.parametrize(("value", "advice"), [(5, "'5'"), (b"x", "'x'"), (None, "'None'")])
def test_a_value_that_is_no_text_is_refused_with_what_to_type(value: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=f"cookie 'a': the value is .*, not text: give {advice}"):
        format_cookie("a", value)
    with pytest.raises(TypeError, match="a cookie's name is text, not 5"):
        format_cookie(5, "b")  # type: ignore[arg-type]


def test_a_part_of_a_second_does_not_delete_a_cookie() -> None:
    assert "Max-Age=1;" in format_cookie("a", "b", max_age=0.2)
    assert "Max-Age=1;" in format_cookie("a", "b", max_age=timedelta(milliseconds=1))
    assert "Max-Age=0;" in format_cookie("a", "b", max_age=0)


def test_a_cookie_may_end_with_a_day() -> None:
    assert "Expires=Wed, 02 Jan 2030 00:00:00 GMT" in format_cookie("a", "b", expires=date(2030, 1, 2))


@pytest.mark.parametrize("name", ["__Http-a", "__http-a", "__Host-Http-a"])
def test_a_cookie_that_scripts_must_not_have_set_is_for_http_only(name: str) -> None:
    with pytest.raises(ValueError, match="without http_only=True"):
        format_cookie(name, "b", secure=True, http_only=False)
    with pytest.raises(ValueError, match="without secure=True"):
        format_cookie(name, "b")
    assert format_cookie(name, "b", secure=True).startswith(f"{name}=b; Path=/; Secure; HttpOnly")
    assert format_deletion(name).startswith(f"{name}=; Path=/; Max-Age=0")
