"""Notes: a JSON API with accounts, on PostgreSQL by asyncpg, or on SQLite where there is none.

DATABASE_URL=postgresql://localhost/notes slime run main
open http://127.0.0.1:3000/docs
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlite import SqliteStore
from store import Note, Store, Taken

from slimeweb import HttpError, Query, Router, Slime, SlimeRequest, SlimeResponse, run_in_threadpool

app = Slime(__file__)


class Account(BaseModel):
    """A name and a password."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=8, max_length=1024)]


class Content(BaseModel):
    """What a note says."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: str = ""


@app.resource(scope="app")
def file(app: Slime) -> SqliteStore | None:
    """The file of SQLite, made ready once for all workers; none where PostgreSQL is used."""
    if "DATABASE_URL" in os.environ:
        return None
    found = SqliteStore(app.root / os.environ.get("NOTES_FILE", "notes.db"))
    found.prepare()
    return found


@app.resource()
async def store(file: SqliteStore | None) -> AsyncIterator[Store]:
    """One for each worker: a pool of connections belongs to its event loop."""
    if file is not None:
        yield file
        return
    # Needed for PostgreSQL alone.
    import asyncpg
    from postgres import PostgresStore

    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=8) as pool:
        found = PostgresStore(pool)
        await found.prepare()
        yield found


@app.resource(scope="request")
def user(req: SlimeRequest) -> str:
    """Who has logged in. The cookie is signed: a client cannot make one up."""
    name = req.get_signed_cookie("user")
    if name is None:
        raise HttpError(401, "log in first")
    return name


@app.post("/accounts")
async def register(resp: SlimeResponse, store: Store, account: Account) -> dict[str, str]:
    """Makes an account."""
    kept = await run_in_threadpool(_derived, account.password, secrets.token_bytes(16))
    try:
        await store.add_user(account.name, kept)
    except Taken as error:
        raise HttpError(409, f"the name {account.name!r} is taken") from error
    resp.set_status(201)
    return {"name": account.name}


@app.post("/login")
async def login(resp: SlimeResponse, store: Store, account: Account) -> None:
    """Sets the cookie that says who one is."""
    kept = await store.password_of(account.name)
    if kept is None or not await run_in_threadpool(_is_password, account.password, kept):
        raise HttpError(401, "no such name and password")
    resp.set_sign_cookie("user", account.name)


@app.post("/logout")
async def logout(resp: SlimeResponse) -> None:
    """Takes the cookie away."""
    resp.delete_cookie("user")


notes = Router("/notes", name="notes")


@notes.get("")
async def listing(
    req: SlimeRequest,
    store: Store,
    user: str,
    before: int | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """One page, the newest first; `next` is where the following one is."""
    found = await store.page(user, before, limit + 1)
    page, rest = found[:limit], found[limit:]
    following = req.url_for(".listing", query={"before": page[-1].id, "limit": limit}) if rest else None
    return {"notes": page, "next": following}


@notes.post("")
async def add(req: SlimeRequest, resp: SlimeResponse, store: Store, user: str, content: Content) -> Note:
    """Keeps a note."""
    note = await store.add(user, content.title, content.text)
    resp.set_status(201)
    resp.set_header("Location", req.url_for(".show", note=note.id))
    return note


@notes.get("/{note:int}")
async def show(note: int, store: Store, user: str) -> Note:
    """One of one's own notes."""
    return _there(await store.find(user, note))


@notes.put("/{note:int}")
async def change(note: int, store: Store, user: str, content: Content) -> Note:
    """It says something else now."""
    return _there(await store.change(user, note, content.title, content.text))


@notes.delete("/{note:int}")
async def delete(note: int, store: Store, user: str) -> None:
    """It is gone."""
    if not await store.delete(user, note):
        raise HttpError(404, "no such note")


app.include(notes)


def _there(note: Note | None) -> Note:
    if note is None:
        raise HttpError(404, "no such note")
    return note


def _derived(password: str, salt: bytes) -> str:
    key = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return f"{salt.hex()}:{key.hex()}"


def _is_password(password: str, kept: str) -> bool:
    return hmac.compare_digest(_derived(password, bytes.fromhex(kept.partition(":")[0])), kept)


if __name__ == "__main__":
    app.serve()
