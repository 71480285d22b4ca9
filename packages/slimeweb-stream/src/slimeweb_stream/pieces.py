"""What `send` takes, as bytes."""

from __future__ import annotations

from typing import Any

from slimeweb.json import to_json

__all__ = ["to_bytes"]


def to_bytes(data: Any) -> bytes:
    """Text as UTF-8, bytes as they are, anything else as JSON.

    `TypeError` or `ValueError` for what JSON cannot hold.
    """
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    return to_json(data)
