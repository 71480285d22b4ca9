"""Greetings."""

from dataclasses import dataclass

__all__ = ["Greeting"]


@dataclass(frozen=True)
class Greeting:
    """A text for someone."""

    text: str
