"""What handlers take by name: the database, a session for each request, and who asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

from conduit.accounts import user_of
from conduit.database import Database, Row, Session
from slimeweb import HttpError, Slime, SlimeRequest

__all__ = ["Reader", "User", "database", "reader", "session", "user"]


def database(app: Slime) -> Database:
    """The file that `CONDUIT_DATABASE` names, `conduit.db` beside the application unless it is set."""
    return Database(app.root / os.environ.get("CONDUIT_DATABASE", "conduit.db"))


def session(req: SlimeRequest, database: Database) -> Iterator[Session]:
    """A transaction, which ends with the request."""
    with database.session() as session:
        yield session


def reader(req: SlimeRequest, app: Slime, session: Session) -> Row | None:
    """The user whose token the request has, `None` without one. 401 for a token that is nobody's."""
    scheme, _, shown = req.header.get("authorization", "").partition(" ")
    if scheme.lower() not in ("token", "bearer"):
        return None
    identifier = user_of(shown, app.secret_key)
    found = None if identifier is None else session.user("id", identifier)
    if found is None:
        raise HttpError(401, {"token": ["is not valid"]})
    return found


def user(reader: Row | None) -> Row:
    """The same for what only users may do: 401 without a token."""
    if reader is None:
        raise HttpError(401, {"token": ["is missing"]})
    return reader


Reader = Annotated[Row | None, reader]
User = Annotated[Row, user]
