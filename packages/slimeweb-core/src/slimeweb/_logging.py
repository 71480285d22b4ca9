"""Loggers: `slimeweb` for the server's messages, `slimeweb.access` for one line per request."""

from __future__ import annotations

import logging
import sys

__all__ = ["configure_logging", "log_access"]


def configure_logging() -> None:
    """Sends slimeweb's log to stderr, from INFO on, unless the application has set up logging itself."""
    logger = logging.getLogger("slimeweb")
    if logger.hasHandlers():
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


_access_logger = logging.getLogger("slimeweb.access")


def log_access(client: str, method: str, path: str, status: int, size: int, seconds: float, aborted: bool) -> None:
    """Logs one request that is over.

    `size` is the bytes of body that the connection has taken, `seconds` the time from the head's arrival to the body's
    end. `aborted`: the body was cut short, by the client or by an error; a client that left before there was a status
    has 499. A connection that left HTTP has 101, and its line comes when it is over. What was no request has neither
    method nor path, but `-`.
    """
    # The path is the client's own bytes: quoted, it cannot forge a second line.
    line = "%s %s %s %d %dB %.1fms aborted" if aborted else "%s %s %s %d %dB %.1fms"
    # CONNECT has no path.
    _access_logger.info(line, client, method, _printable(path) or "-", status, size, seconds * 1000)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
