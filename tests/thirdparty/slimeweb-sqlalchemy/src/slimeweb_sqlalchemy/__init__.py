"""A session of SQLAlchemy for each request: committed when its handler returns, rolled back when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from slimeweb import HandlerWrapper, RouteSpec, Slime, SlimeRequest, hookimpl

__all__ = ["Database"]


def has_failed(resp: Any) -> bool:
    # The responses of other plugins' routes need not have a status.
    return int(getattr(resp, "status", 200)) >= 400


class Database:
    """`req.db` is a `Session` in plain handlers and, where there is an `async_url`, an `AsyncSession` in coroutines.

    An answer with a status of 400 or more rolls back as well. The commit is done before the answer goes out, so that
    one that fails is a 500. A stream that is written after its handler has returned has no session any more.
    """

    def __init__(self, url: str, async_url: str | None = None) -> None:
        self.url, self.async_url = url, async_url

    @hookimpl
    def slime_startup(self, app: Slime) -> None:
        self.engine = create_engine(self.url)
        # A connection belongs to the event loop that has opened it, and each worker has one: none are kept.
        self.async_engine = create_async_engine(self.async_url, poolclass=NullPool) if self.async_url else None
        app.state["engine"] = self.engine

    @hookimpl
    def slime_shutdown(self) -> None:
        self.engine.dispose()

    @hookimpl
    def slime_wrap_handler(self, route: RouteSpec) -> HandlerWrapper | None:
        return None if route.is_async and not self.async_url else HandlerWrapper("sqlalchemy", self.wrap)

    def wrap(self, route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
        def run(req: SlimeRequest, resp: Any) -> Any:
            # Left with an exception, the session rolls back what it has not committed.
            with Session(self.engine) as req.db:
                result = handler(req, resp)
                if not has_failed(resp):
                    req.db.commit()
            return result

        async def run_async(req: SlimeRequest, resp: Any) -> Any:
            async with AsyncSession(self.async_engine) as req.db:
                result = await handler(req, resp)
                if not has_failed(resp):
                    await req.db.commit()
            return result

        return run_async if route.is_async else run
