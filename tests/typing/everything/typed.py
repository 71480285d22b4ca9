"""Typed handlers keep their types, and their markers are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, assert_type

from slimeweb import ApiKey, Bearer, Body, Cookie, Depends, File, Form, Header, Query, Slime, SlimeFile, SlimeResponse

app = Slime(__file__)


@dataclass
class User:
    name: str


@app.route("/users/{id}", method="POST")
def show(
    id: int,
    user: User,
    token: Annotated[str, Bearer()],
    key: Annotated[str | None, ApiKey("X-Key")],
    agent: Annotated[str, Header()],
    theme: Annotated[str, Cookie()] = "light",
    page: Annotated[int, Query(ge=1)] = 1,
) -> User:
    assert_type(page, int)
    return user


@app.route("/files", method="POST")
async def upload(title: Annotated[str, Form(max_length=10)], file: Annotated[SlimeFile, File()]) -> list[User]:
    assert_type(file, SlimeFile)
    return [User(title)]


def current_user() -> User:
    return User("ada")


@app.route("/number", method="POST")
def number(number: Annotated[int, Body()], user: Annotated[User, Depends(current_user)], resp: SlimeResponse) -> int:
    return number + len(user.name)


# The decorated function is what it was.
assert_type(show(1, User("ada"), "token", None, "me"), User)

Query(ge="one")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Query(greater=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
Bearer(name="x")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
Depends(3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
show("one", User("ada"), "token", None, "me")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
