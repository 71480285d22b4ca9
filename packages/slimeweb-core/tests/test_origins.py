"""Which origins a set of them has."""

from __future__ import annotations

import re

import pytest

from slimeweb.origins import Origins

ORIGINS = Origins(
    "Test",
    ["https://shop.example", "http://Shop.example:80", "https://api.example:8443", "https://*.many.example", "null"],
    [re.compile(r"https://pr-[0-9]+\.example")],
)


@pytest.mark.parametrize(
    ("origin", "is_in"),
    [
        ("https://shop.example", True),
        ("https://shop.example:443", True),
        ("HTTPS://Shop.Example", True),
        ("https://shop.example:80", False),
        ("https://shop.example:4430", False),
        ("http://shop.example", True),
        ("http://shop.example:80", True),
        ("http://shop.example:443", False),
        ("https://api.example:8443", True),
        ("https://api.example", False),
        ("https://a.many.example:443", True),
        ("https://*.many.example", False),
        ("https://pr-7.example:443", True),
        ("https://pr-7.example:444", False),
        ("null", True),
        ("", False),
        ("https://", False),
        (None, False),
    ],
)
def test_default_ports_and_capitals_do_not_matter(origin: object, is_in: bool) -> None:
    assert (origin in ORIGINS) is is_in
