"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Any

from slimeweb_stream.pieces import to_bytes

__all__ = ["COMMENT", "format_comment", "format_event"]

COMMENT = b":\n\n"
"""What keeps a connection alive: a comment, which clients pass over."""


def format_event(data: Any, event: str | None, event_id: str | None, retry: int | None) -> bytes:
    """One event. `data` that is not text goes as JSON. `ValueError` where a field could not be sent as it is."""
    lines = []
    for name, field in (("event", event), ("id", event_id)):
        if field is not None and not isinstance(field, str):
            raise TypeError(f"{name}={field!r} has to be text: give {str(field)!r}")
    if event is not None:
        lines.append(f"event: {_one_line('event', event)}")
    if event_id is not None:
        if "\0" in event_id:
            raise ValueError(f"id={event_id!r} holds a NUL, which clients refuse")
        lines.append(f"id: {_one_line('id', event_id)}")
    if retry is not None:
        if isinstance(retry, bool) or not isinstance(retry, int) or retry < 0:
            raise ValueError(f"retry={retry!r} has to be a number of milliseconds, 0 or more")
        lines.append(f"retry: {retry}")
    text = to_bytes(data).decode("utf-8")
    lines += [f"data: {line}" for line in _split(text)]
    return ("\n".join(lines) + "\n\n").encode()


def format_comment(text: str) -> bytes:
    """A comment, line by line. `TypeError` for what is not text."""
    if not isinstance(text, str):
        raise TypeError(f"send_comment({text!r}): give text")
    return ("\n".join(f": {line}" if line else ":" for line in _split(text)) + "\n\n").encode()


def _split(text: str) -> list[str]:
    # Clients end a line at CR, LF and CRLF, and at nothing else that str.splitlines would.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _one_line(name: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise ValueError(f"{name}={value!r} holds a line break: an event's {name} is one line")
    return value
