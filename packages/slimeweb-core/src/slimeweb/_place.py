"""Where in the user's own code something was declared."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["caller_place"]


def caller_place() -> str:
    """The file and line, `users.py:12`, of the nearest caller that is not slimeweb itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not f"{frame.f_globals.get('__name__', '')}.".startswith("slimeweb."):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
