"""Whether waiting is allowed here."""

from __future__ import annotations

import asyncio

__all__ = ["is_on_a_loop"]


def is_on_a_loop() -> bool:
    """Whether the caller runs on an event loop, which must not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
