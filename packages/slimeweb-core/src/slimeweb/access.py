"""The access log."""

from __future__ import annotations

import logging

__all__ = ["log_access"]

_logger = logging.getLogger("slimeweb.access")


def log_access(client: str, method: str, path: str, status: int, size: int, seconds: float) -> None:
    """Logs one finished request: `size` is the body's length in bytes, `seconds` from the head's arrival to the end."""
    # The path is the client's own bytes: quoted, it cannot forge a second line.
    _logger.info("%s %s %s %d %dB %.1fms", client, method, _printable(path), status, size, seconds * 1000)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
