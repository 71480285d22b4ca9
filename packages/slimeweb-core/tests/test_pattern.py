"""Path patterns are read as the server reads them, and refused with a reason."""

from __future__ import annotations

import pytest

from slimeweb._pattern import PathPattern
from slimeweb.errors import InvalidHandler


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("/", []),
        ("/users/{id}", [("id", "str")]),
        ("/users/{id:int}/{when:float}", [("id", "int"), ("when", "float")]),
        ("/o/{key:uuid}", [("key", "uuid")]),
        ("/files/{*rest}", [("rest", "path")]),
        ("/files/{rest:path}", [("rest", "path")]),
        ("/v{version}.x", [("version", "str")]),
        ("/{{literal}}", []),
        ("/naïve/{größe}", [("größe", "str")]),
    ],
)
def test_parameters_are_found_in_order(text: str, params: list[tuple[str, str]]) -> None:
    assert [(param.name, param.kind) for param in PathPattern.parse(text).params] == params


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("users", "does not start with '/'"),
        ("", "does not start with '/'"),
        ("/a?b=1", "a query or a fragment"),
        ("/{id", "a brace without a partner"),
        ("/id}", "a brace without a partner"),
        ("/{}", "no usable name"),
        ("/{1st}", "no usable name"),
        ("/{id:number}", "not a kind of parameter"),
        ("/{id:}", "not a kind of parameter"),
        ("/{a}{b}", "two parameters"),
        ("/{a}/{a}", "occurs twice"),
        ("/{*rest}/more", "has to come last"),
        ("/{p:path}/more", "has to come last"),
        ("/users/<id>", "a parameter is written {name}"),
        ("/users/<int:id>", "a parameter is written {name}"),
        ("/files/*", "written {\\*rest}"),
        ("/x{*rest}", "text cannot be beside it"),
    ],
)
def test_what_is_not_a_pattern_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidHandler, match=reason) as caught:
        PathPattern.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/{a}", "/{b}", True),
        ("/{a:str}", "/{b}", True),
        ("/{*a}", "/{b:path}", True),
        ("/{a:int}", "/{a}", False),
        ("/a", "/a/", False),
        ("/x{a}", "/y{a}", False),
        ("/{{str}}", "/{str}", False),
    ],
)
def test_the_shape_says_which_patterns_match_the_same_paths(one: str, other: str, same: bool) -> None:
    assert (PathPattern.parse(one).shape == PathPattern.parse(other).shape) is same
