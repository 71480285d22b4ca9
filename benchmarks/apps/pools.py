"""Connections to PostgreSQL, a pool for each event loop: by asyncpg where it is installed, else by psycopg."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

try:
    import asyncpg
except ImportError:
    asyncpg = None
    import psycopg

Fetch = Callable[[int], Awaitable[int]]
QUERY = "select value from numbers where id = "


class Pools:
    """Opens up to `size` connections per event loop, when they are needed first."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size = size
        self._pools: dict[asyncio.AbstractEventLoop, tuple[asyncio.Semaphore, list[Fetch]]] = {}

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Fetch]:
        """A function that gives the value of a row, on a connection that nobody else uses meanwhile."""
        loop = asyncio.get_running_loop()
        room, idle = self._pools.get(loop) or self._pools.setdefault(loop, (asyncio.Semaphore(self._size), []))
        async with room:
            fetch = idle.pop() if idle else await self._open()
            try:
                yield fetch
            finally:
                idle.append(fetch)

    async def _open(self) -> Fetch:
        if asyncpg is not None:
            connection: Any = await asyncpg.connect(self._url)

            async def fetch(id: int) -> int:
                value: int = await connection.fetchval(QUERY + "$1", id)
                return value

            return fetch
        session = await psycopg.AsyncConnection.connect(self._url, autocommit=True, prepare_threshold=1)
        cursor = session.cursor()

        async def fetch_one(id: int) -> int:
            row = await (await cursor.execute(QUERY + "%s", (id,))).fetchone()
            assert row is not None
            value: int = row[0]
            return value

        return fetch_one
