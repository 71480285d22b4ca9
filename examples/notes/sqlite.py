"""Notes in a file of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from store import Note, Taken, note_of

from slimeweb import run_in_threadpool

__all__ = ["SqliteStore"]


class SqliteStore:
    """SQLite blocks, so each query is a call on the pool of threads, on a connection of its own."""

    SCHEMA = """
    create table if not exists users (name text primary key, password text not null) without rowid;
    create table if not exists notes (
        id integer primary key autoincrement, owner text not null references users, title text not null,
        text text not null
    );
    create index if not exists notes_of on notes (owner, id desc);
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        """Makes the tables. Not by two at once: SQLite refuses the second."""
        with closing(self._connection()) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(self.SCHEMA)

    async def add_user(self, name: str, password: str) -> None:
        try:
            await self._run("insert into users values (?, ?)", name, password)
        except sqlite3.IntegrityError as error:
            raise Taken(name) from error

    async def password_of(self, name: str) -> str | None:
        rows = await self._run("select password from users where name = ?", name)
        return rows[0][0] if rows else None

    async def add(self, user: str, title: str, text: str) -> Note:
        query = "insert into notes (owner, title, text) values (?, ?, ?) returning id, title, text"
        return Note(*(await self._run(query, user, title, text))[0])

    async def page(self, user: str, before: int | None, limit: int) -> list[Note]:
        query = "select id, title, text from notes where owner = ? and id < ifnull(?, id + 1) order by id desc limit ?"
        return [Note(*row) for row in await self._run(query, user, before, limit)]

    async def find(self, user: str, note: int) -> Note | None:
        rows = await self._run("select id, title, text from notes where owner = ? and id = ?", user, note)
        return note_of(rows[0] if rows else None)

    async def change(self, user: str, note: int, title: str, text: str) -> Note | None:
        query = "update notes set title = ?, text = ? where owner = ? and id = ? returning id, title, text"
        rows = await self._run(query, title, text, user, note)
        return note_of(rows[0] if rows else None)

    async def delete(self, user: str, note: int) -> bool:
        return bool(await self._run("delete from notes where owner = ? and id = ? returning id", user, note))

    async def _run(self, query: str, *values: object) -> list[Any]:
        return await run_in_threadpool(self._execute, query, values)

    def _execute(self, query: str, values: Sequence[object]) -> list[Any]:
        with closing(self._connection()) as connection:
            return connection.execute(query, values).fetchall()

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        connection.execute("pragma foreign_keys = on")
        return connection
