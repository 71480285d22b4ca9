"""What clients send, and what they get."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from conduit.database import Row

__all__ = [
    "ArticleChanges",
    "Comment",
    "Login",
    "NewArticle",
    "NewUser",
    "UserChanges",
    "article",
    "comment",
    "profile",
]

Text = Annotated[str, Field(min_length=1)]


class Login(BaseModel):
    """An address and a password."""

    class Credentials(BaseModel):
        email: Text
        password: Text

    user: Credentials


class NewUser(BaseModel):
    """Somebody who registers."""

    class User(BaseModel):
        username: Text
        email: Text
        password: Text

    user: User


class UserChanges(BaseModel):
    """What is given is changed."""

    class User(BaseModel):
        username: Text | None = None
        email: Text | None = None
        password: Text | None = None
        bio: str | None = None
        image: str | None = None

    user: User


class NewArticle(BaseModel):
    """An article with tags, which have no order."""

    class Article(BaseModel):
        model_config = ConfigDict(populate_by_name=True)

        title: Text
        description: Text
        body: Text
        tags: list[str] = Field(default=[], alias="tagList")

    article: Article


class ArticleChanges(BaseModel):
    """What is given is changed."""

    class Article(BaseModel):
        title: Text | None = None
        description: Text | None = None
        body: Text | None = None

    article: Article


class Comment(BaseModel):
    """A comment on an article."""

    class Content(BaseModel):
        body: Text

    comment: Content


def profile(row: Row) -> dict[str, Any]:
    """Of a row that has a user's columns, and `following`."""
    return {
        "username": row["username"],
        "bio": row["bio"],
        "image": row["image"],
        "following": bool(row["following"]),
    }


def article(row: Row, *, body: bool = True) -> dict[str, Any]:
    """Lists are without the body."""
    return {
        "slug": row["slug"],
        "title": row["title"],
        "description": row["description"],
        **({"body": row["body"]} if body else {}),
        "tagList": json.loads(row["tags"]),
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "favorited": bool(row["favorited"]),
        "favoritesCount": row["favorites_count"],
        "author": profile(row),
    }


def comment(row: Row) -> dict[str, Any]:
    """With its author."""
    return {
        "id": row["id"],
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "body": row["body"],
        "author": profile(row),
    }
