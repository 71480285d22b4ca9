"""What `send` takes, as bytes."""

from __future__ import annotations

from typing import Any

from slimeweb.json import to_json
from slimeweb_stream.events import Event

__all__ = ["to_bytes"]


def to_bytes(data: Any) -> bytes:
    """Text as UTF-8, bytes and events as they are, anything else as JSON.

    `TypeError` or `ValueError` for what JSON cannot hold.
    """
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    return data.encoded if isinstance(data, Event) else to_json(data)
