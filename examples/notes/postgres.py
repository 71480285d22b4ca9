"""Notes in PostgreSQL."""

from __future__ import annotations

import asyncpg
from store import Note, Taken, note_of

__all__ = ["PostgresStore"]


class PostgresStore:
    """On a pool of connections, which belongs to one event loop: make a store for each."""

    SCHEMA = """
    create table if not exists users (name text primary key, password text not null);
    create table if not exists notes (
        id bigint generated always as identity primary key, owner text not null references users,
        title text not null, text text not null
    );
    create index if not exists notes_of on notes (owner, id desc);
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def prepare(self) -> None:
        """Makes the tables, once, however many workers and processes begin at the same time."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(20260101)")
            await connection.execute(self.SCHEMA)

    async def add_user(self, name: str, password: str) -> None:
        try:
            await self._pool.execute("insert into users values ($1, $2)", name, password)
        except asyncpg.UniqueViolationError as error:
            raise Taken(name) from error

    async def password_of(self, name: str) -> str | None:
        found: str | None = await self._pool.fetchval("select password from users where name = $1", name)
        return found

    async def add(self, user: str, title: str, text: str) -> Note:
        query = "insert into notes (owner, title, text) values ($1, $2, $3) returning id, title, text"
        return Note(*await self._pool.fetchrow(query, user, title, text))

    async def page(self, user: str, before: int | None, limit: int) -> list[Note]:
        rows = await self._pool.fetch(
            "select id, title, text from notes where owner = $1 and ($2::bigint is null or id < $2) "
            "order by id desc limit $3",
            user,
            before,
            limit,
        )
        return [Note(*row) for row in rows]

    async def find(self, user: str, note: int) -> Note | None:
        return note_of(
            await self._pool.fetchrow("select id, title, text from notes where owner = $1 and id = $2", user, note)
        )

    async def change(self, user: str, note: int, title: str, text: str) -> Note | None:
        query = "update notes set title = $3, text = $4 where owner = $1 and id = $2 returning id, title, text"
        return note_of(await self._pool.fetchrow(query, user, note, title, text))

    async def delete(self, user: str, note: int) -> bool:
        status: str = await self._pool.execute("delete from notes where owner = $1 and id = $2", user, note)
        return status != "DELETE 0"
