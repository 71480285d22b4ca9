"""What a mistyped name was meant to be."""

from __future__ import annotations

import pytest

from slimeweb.spelling import closest, suggestion

COOKIE = ("path", "domain", "max_age", "http_only", "same_site")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("samesite", "same_site"),
        ("Same-Site", "same_site"),
        ("httponly", "http_only"),
        ("MAX_AGE", "max_age"),
        ("pth", "path"),
        ("quality", None),
        ("", None),
    ],
)
def test_the_closest_name_is_found_whatever_its_case_and_hyphens(name: str, expected: str | None) -> None:
    assert closest(name, COOKIE) == expected


def test_a_cutoff_says_how_alike_names_have_to_be() -> None:
    assert closest("BATCH", ["PATCH"]) == "PATCH"
    assert closest("BATCH", ["PATCH"], cutoff=0.85) is None


def test_a_suggestion_names_the_closest_else_all() -> None:
    assert suggestion("pth", COOKIE) == "did you mean 'path'?"
    assert suggestion("x", ["host", "port"]) == "there are host, port"
