"""Negotiation by Accept-Encoding (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimeweb import SlimeCompression
from slimeweb.header import choose_encoding

ALL = SlimeCompression.All.codings


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, None),
        ("", None),
        (" , ,", None),
        ("identity", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        # Of equals, the server's favourite.
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("gzip;q=1.0,br;q=1,zstd;q=1.000", "zstd"),
        # The client's favourite.
        ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", "gzip"),
        ("gzip;q=0.5, br;q=0.501", "br"),
        ("gzip; q=0.5 , br;\tq=0.6", "br"),
        ("gzip;Q=0.2, br;Q=0.3", "br"),
        # What it refuses.
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("gzip, br;q=0, zstd;q=0", "gzip"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("*;q=0, gzip", "gzip"),
        ("zstd;q=0, *", "br"),
        ("zstd;q=0, br;q=0, *;q=0.1", "gzip"),
        ("br;q=0.4, *;q=0.3", "br"),
        # A body as it is may be liked better.
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0.2, identity;q=0.7, *;q=0.1", None),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        # What cannot be understood is refused, and so is what is refused once.
        ("gzip;q=2", None),
        ("gzip;q=-1", None),
        ("gzip;q=1.001", None),
        ("gzip;q=0.1234", None),
        ("gzip;q=", None),
        ("gzip;q=nan, br", "br"),
        ("gzip;q=\u0661", None),
        ("gzip, gzip;q=0", None),
        ("gzip;level=9", "gzip"),
        ("gzip;level=9;q=0", None),
        ('gzip;level=",", br;q=0.5', "gzip"),
        ('gzip;level="', None),
    ],
)
def test_what_a_client_gets_where_everything_is_offered(field: str | None, expected: str | None) -> None:
    assert choose_encoding(field, ALL)[0] == expected


@pytest.mark.parametrize(
    ("offered", "field", "expected"),
    [
        (SlimeCompression.Gzip, "br, gzip;q=0.1", "gzip"),
        (SlimeCompression.Gzip, "br, zstd", None),
        (SlimeCompression.Brotli, "gzip, br", "br"),
        (SlimeCompression.Brotli, "gzip", None),
        (SlimeCompression.Zstd, "zstd", "zstd"),
        (SlimeCompression.Zstd, "*;q=0.5", "zstd"),
        (SlimeCompression.Brotli, "br;q=0.3, *;q=0.8", None),
        (SlimeCompression.NoCompression, "*", None),
    ],
)
def test_exactly_what_is_offered(offered: SlimeCompression, field: str, expected: str | None) -> None:
    assert choose_encoding(field, offered.codings)[0] == expected


@pytest.mark.parametrize(
    ("field", "refused"),
    [
        (None, False),
        ("gzip", False),
        ("identity;q=0", True),
        ("*;q=0", True),
        ("*;q=0, identity;q=0.1", False),
        ("identity;q=0.0", True),
        ("*", False),
    ],
)
def test_whether_a_body_may_come_as_it_is(field: str | None, refused: bool) -> None:
    assert choose_encoding(field, ALL)[1] is refused


@given(st.text())
def test_any_text_is_read(field: str) -> None:
    assert choose_encoding(field, ALL)[0] in (None, *ALL)


def test_a_list_without_end_costs_little() -> None:
    field = "a;q=0.5," * 500_000
    start = time.perf_counter()
    assert choose_encoding(field + "gzip", ALL) == (None, False)
    assert time.perf_counter() - start < 0.5
