"""Values of header fields, read as the server reads them. Their grammar is tested in rust/slimeweb-http/src/header."""

from __future__ import annotations

import pytest

from slimeweb.header import choose_encoding, split_list, split_parameters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ("", [])),
        ("text/plain", ("text/plain", [])),
        ("text/plain; Charset = utf-8 ;; x", ("text/plain", [("Charset", "utf-8"), ("x", None)])),
        (r'a; b="c;\"d\\"; e=é', ("a", [("b", 'c;"d\\'), ("e", "é")])),
    ],
)
def test_parameters_are_split_outside_of_quotes(value: str, expected: object) -> None:
    assert split_parameters(value) == expected


@pytest.mark.parametrize("value", ['a; b="c', 'a; b="c"d'])
def test_a_quoted_value_without_an_end_is_an_error(value: str) -> None:
    with pytest.raises(ValueError, match="a quoted value has no end, or has text behind its end"):
        split_parameters(value)


def test_lists_are_split_outside_of_quotes() -> None:
    assert split_list('a;b="c, d", , e') == ['a;b="c, d"', "e"]


def test_a_coding_is_chosen_among_what_is_offered() -> None:
    assert choose_encoding("gzip, br;q=0.5, identity;q=0", ("br", "gzip")) == ("gzip", True)
    assert choose_encoding(None, ("br", "gzip")) == (None, False)
