"""Users, their accounts and profiles."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conduit import models
from conduit.accounts import is_password, password_hash, token
from conduit.database import Row, Session
from conduit.resources import Reader, User
from slimeweb import HttpError, Router, SlimeRequest, SlimeResponse

__all__ = ["profiles", "users"]

users = Router(name="users")
profiles = Router("/profiles/{username}", name="profiles")


@users.post("/users")
def register(req: SlimeRequest, resp: SlimeResponse, session: Session, new: models.NewUser) -> dict[str, Any]:
    """Makes an account."""
    with _unique_names():
        row = session.add_user(new.user.username, new.user.email, password_hash(new.user.password))
    resp.set_status(201)
    return _account(req, row)


@users.post("/users/login")
def login(req: SlimeRequest, session: Session, login: models.Login) -> dict[str, Any]:
    """The account of an address and a password."""
    row = session.user("email", login.user.email)
    if row is None or not is_password(login.user.password, row["password"]):
        raise HttpError(401, {"email or password": ["is invalid"]})
    return _account(req, row)


@users.get("/user")
def current(req: SlimeRequest, user: User) -> dict[str, Any]:
    """The account of who asks."""
    return _account(req, user)


@users.put("/user")
def update(req: SlimeRequest, session: Session, user: User, changes: models.UserChanges) -> dict[str, Any]:
    """Changes what is given."""
    given = changes.user.model_dump(exclude_unset=True)
    if given.get("password") is not None:
        given["password"] = password_hash(given["password"])
    # `bio` and `image` may be taken away, the others not.
    kept = {name: value for name, value in given.items() if value is not None or name in ("bio", "image")}
    with _unique_names():
        return _account(req, session.update_user(user["id"], kept))


@profiles.get("")
def profile(username: str, session: Session, reader: Reader) -> dict[str, Any]:
    """A user, as others see them."""
    return _profile(session, reader, username)


@profiles.post("/follow")
def follow(username: str, session: Session, user: User) -> dict[str, Any]:
    """From now on who asks follows that user."""
    session.follow(user["id"], _named(session, username)["id"])
    return _profile(session, user, username)


@profiles.delete("/follow")
def unfollow(username: str, session: Session, user: User) -> dict[str, Any]:
    """And now not any more."""
    session.unfollow(user["id"], _named(session, username)["id"])
    return _profile(session, user, username)


def _account(req: SlimeRequest, row: Row) -> dict[str, Any]:
    shown = {name: row[name] for name in ("email", "username", "bio", "image")}
    return {"user": {**shown, "token": token(row["id"], req.app.secret_key)}}


def _profile(session: Session, reader: Row | None, username: str) -> dict[str, Any]:
    row = _named(session, username)
    following = reader is not None and session.follows(reader["id"], row["id"])
    return {"profile": models.profile({**row, "following": following})}


def _named(session: Session, username: str) -> Row:
    row = session.user("username", username)
    if row is None:
        raise HttpError(404, {"profile": ["not found"]})
    return row


@contextmanager
def _unique_names() -> Iterator[None]:
    """422 for a name or an address that another user has."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        column = "email" if "users.email" in str(error) else "username"
        raise HttpError(422, {column: ["has already been taken"]}) from error
