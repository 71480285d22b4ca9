"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slimeweb.json import to_json

__all__ = ["COMMENT", "Event", "format_comment", "format_event"]

COMMENT = b":\n\n"
"""What keeps a connection alive: a comment, which clients pass over."""


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event, for a stream's generator to yield and for `resp.send`.

        @app.stream(path="/news", content="text/event-stream")
        async def news(req, resp):
            async for number, story in stories(after=resp.last_event_id):
                yield Event(story, event="story", id=str(number))

    `data` that is not text goes as JSON, each line of it on its own; `id` is what a client that reconnects names
    (`resp.last_event_id`); `retry` is after how many milliseconds it does. `ValueError` for an `event` or `id` of more
    than one line, or another `retry`; `TypeError` for one that is no text, or data that JSON cannot hold.
    """

    data: Any
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    encoded: bytes = field(init=False, repr=False, compare=False)
    """As it is sent."""

    def __post_init__(self) -> None:
        """Encodes it, so that what cannot be sent is told where it is made."""
        object.__setattr__(self, "encoded", format_event(self.data, self.event, self.id, self.retry))


def format_event(data: Any, event: str | None, event_id: str | None, retry: int | None) -> bytes:
    """One event. `data` that is not text goes as JSON. `ValueError` where a field could not be sent as it is."""
    lines = []
    for name, value in (("event", event), ("id", event_id)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name}={value!r} has to be text: give {str(value)!r}")
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
    lines += [f"data: {line}" for line in _split(_text(data))]
    return ("\n".join(lines) + "\n\n").encode()


def format_comment(text: str) -> bytes:
    """A comment, line by line. `TypeError` for what is not text."""
    if not isinstance(text, str):
        raise TypeError(f"send_comment({text!r}): give text")
    return ("\n".join(f": {line}" if line else ":" for line in _split(text)) + "\n\n").encode()


def _text(data: Any) -> str:
    if isinstance(data, str):
        return data
    return (bytes(data) if isinstance(data, bytes | bytearray | memoryview) else to_json(data)).decode()


def _split(text: str) -> list[str]:
    # Clients end a line at CR, LF and CRLF, and at nothing else that str.splitlines would.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _one_line(name: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise ValueError(f"{name}={value!r} holds a line break: an event's {name} is one line")
    return value
