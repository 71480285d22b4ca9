"""The wire format of server-sent events."""

from typing import Any

import pytest

from slimeweb_stream.events import format_comment, format_event


def test_an_event_has_its_fields_before_its_data() -> None:
    assert format_event("hello", "greeting", "7", 1500) == b"event: greeting\nid: 7\nretry: 1500\ndata: hello\n\n"


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\rb"])
def test_every_line_break_that_clients_know_starts_a_data_line(text: str) -> None:
    assert format_event(text, None, None, None) == b"data: a\ndata: b\n\n"


def test_other_separators_are_text() -> None:
    assert format_event("a\u2028b\x0bc", None, None, None) == "data: a\u2028b\x0bc\n\n".encode()


def test_what_is_not_text_goes_as_json() -> None:
    assert format_event({"n": [1, None]}, None, None, None) == b'data: {"n":[1,null]}\n\n'


@pytest.mark.parametrize(
    ("event", "event_id", "retry"),
    [("a\ndata: x", None, None), (None, "1\r2", None), (None, "1\x002", None), (None, None, -1), (None, None, True)],
)
def test_a_field_that_would_break_the_stream_is_refused(
    event: str | None, event_id: str | None, retry: int | None
) -> None:
    with pytest.raises(ValueError):
        format_event("x", event, event_id, retry)


def test_a_comment_cannot_become_an_event() -> None:
    assert format_comment("a\ndata: b") == b": a\n: data: b\n\n"


@pytest.mark.parametrize(("event", "event_id"), [(5, None), (None, 5), (b"x", None), (None, b"1")])
def test_a_field_that_is_not_text_is_told_with_what_to_type(event: Any, event_id: Any) -> None:
    with pytest.raises(TypeError, match=r"has to be text: give '|has to be text: give \"b'"):
        format_event("data", event, event_id, None)


@pytest.mark.parametrize("text", [None, 5, b"x"])
def test_a_comment_that_is_not_text_is_told(text: Any) -> None:
    with pytest.raises(TypeError, match="give text"):
        format_comment(text)
