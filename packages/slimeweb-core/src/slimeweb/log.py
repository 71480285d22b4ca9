"""Loggers: `slimeweb` for what the server has to say, `slimeweb.access` for one line per request."""

from __future__ import annotations

import logging
import sys

__all__ = ["configure_logging"]


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
