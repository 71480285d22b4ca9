"""`client.events(…)`: server-sent events as a browser reads them, for tests."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from slimeweb.testing import TestClient, TestStream

__all__ = ["ReceivedEvent", "events"]


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event: its `data`, its type `event`, the last `id` that the server has sent, and the `retry` in milliseconds
    that came with it.
    """

    data: str
    event: str
    id: str
    retry: int | None

    def json(self) -> Any:
        """The data as JSON."""
        return json.loads(self.data)


@contextmanager
def events(
    client: TestClient, path: str, *, method: str = "GET", **arguments: Any
) -> Iterator[Iterator[ReceivedEvent]]:
    """Opens an event stream; the arguments are those of `client.stream`. `ValueError` where the answer is none.

    with client.events("/news") as events:
        assert next(events).data == "hello"
    """
    with client.stream(method, path, **arguments) as stream:
        kind = stream.response.headers.get("content-type", "")
        if stream.response.status_code != 200 or not kind.startswith("text/event-stream"):
            raise ValueError(f"{method} {path} is no event stream: {stream.response.status_code}, {kind or 'no type'}")
        yield _events(stream)


def _events(stream: TestStream) -> Generator[ReceivedEvent, None, None]:
    """WHATWG HTML, section 9.2.6."""
    data: list[str] = []
    kind, last_id, retry = "", "", None
    for line in stream.lines():
        if not line:
            if data:
                yield ReceivedEvent("\n".join(data), kind or "message", last_id, retry)
            data, kind, retry = [], "", None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                data.append(value)
            case "event":
                kind = value
            case "id" if "\0" not in value:
                last_id = value
            case "retry" if value.isascii() and value.isdigit():
                retry = int(value)
