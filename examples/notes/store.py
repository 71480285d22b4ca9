"""What a place for notes can do; `postgres` and `sqlite` have one each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Note", "Store", "Taken", "note_of"]


@dataclass(frozen=True, slots=True)
class Note:
    """A note, as it is kept and sent."""

    id: int
    title: str
    text: str


class Taken(Exception):
    """The name is another user's."""


class Store(Protocol):
    """Users, and the notes of each."""

    async def add_user(self, name: str, password: str) -> None:
        """`Taken` where the name is. `password` is what is kept of it."""

    async def password_of(self, name: str) -> str | None:
        """What is kept of a user's password, `None` for nobody."""

    async def add(self, user: str, title: str, text: str) -> Note:
        """A new note."""

    async def page(self, user: str, before: int | None, limit: int) -> list[Note]:
        """Some notes, the newest first, of those older than the note `before`."""

    async def find(self, user: str, note: int) -> Note | None:
        """One of the user's own notes."""

    async def change(self, user: str, note: int, title: str, text: str) -> Note | None:
        """The note as it is now, `None` where there is none."""

    async def delete(self, user: str, note: int) -> bool:
        """Whether it was there."""


def note_of(row: Sequence[Any] | None) -> Note | None:
    """A row of a table as a note."""
    return None if row is None else Note(*row)
