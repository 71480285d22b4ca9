"""Articles, their comments, favorites and tags."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any

from conduit import models
from conduit.database import Row, Session
from conduit.resources import Reader, User
from slimeweb import HttpError, Router, SlimeResponse
from slimeweb_typed import Query

__all__ = ["articles", "tags"]

articles = Router("/articles", name="articles")
tags = Router("/tags", name="tags")

Limit = Annotated[int, Query(ge=0, le=100)]
Offset = Annotated[int, Query(ge=0)]


@articles.get("")
def listing(
    session: Session,
    reader: Reader,
    tag: str | None = None,
    author: str | None = None,
    favorited: str | None = None,
    limit: Limit = 20,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Articles of everybody, newest first."""
    found = session.articles(_id(reader), tag=tag, author=author, favorited=favorited, limit=limit, offset=offset)
    return _list(*found)


@articles.get("/feed")
def feed(session: Session, user: User, limit: Limit = 20, offset: Offset = 0) -> dict[str, Any]:
    """Articles of those whom the user follows."""
    return _list(*session.articles(user["id"], followed=True, limit=limit, offset=offset))


@articles.post("")
def create(resp: SlimeResponse, session: Session, user: User, new: models.NewArticle) -> dict[str, Any]:
    """Publishes one."""
    content = new.article
    slug = _slug(content.title)
    session.add_article(user["id"], slug, content.title, content.description, content.body, content.tags)
    resp.set_status(201)
    return _shown(session, slug, user)


@articles.get("/{slug}")
def show(slug: str, session: Session, reader: Reader) -> dict[str, Any]:
    """One article."""
    return _shown(session, slug, reader)


@articles.put("/{slug}")
def update(slug: str, session: Session, user: User, changes: models.ArticleChanges) -> dict[str, Any]:
    """Changes what is given of one's own article. A new title is a new slug."""
    row = _own(session, slug, user)
    given = changes.article.model_dump(exclude_none=True)
    if "title" in given and given["title"] != row["title"]:
        given["slug"] = slug = _slug(given["title"])
    session.update_article(row["id"], given)
    return _shown(session, slug, user)


@articles.delete("/{slug}")
def delete(slug: str, session: Session, user: User) -> None:
    """Deletes one's own article."""
    session.delete_article(_own(session, slug, user)["id"])


@articles.post("/{slug}/favorite")
def favorite(slug: str, session: Session, user: User) -> dict[str, Any]:
    """Makes it a favorite."""
    session.favorite(user["id"], _article(session, slug, user)["id"])
    return _shown(session, slug, user)


@articles.delete("/{slug}/favorite")
def unfavorite(slug: str, session: Session, user: User) -> dict[str, Any]:
    """It is none any more."""
    session.unfavorite(user["id"], _article(session, slug, user)["id"])
    return _shown(session, slug, user)


@articles.get("/{slug}/comments")
def comments(slug: str, session: Session, reader: Reader) -> dict[str, Any]:
    """What is said about an article, the oldest first."""
    article = _article(session, slug, reader)
    return {"comments": [models.comment(row) for row in session.comments(article["id"], _id(reader))]}


@articles.post("/{slug}/comments")
def add_comment(slug: str, resp: SlimeResponse, session: Session, user: User, new: models.Comment) -> dict[str, Any]:
    """Says something about it."""
    article = _article(session, slug, user)
    resp.set_status(201)
    return {"comment": models.comment(session.add_comment(article["id"], user["id"], new.comment.body))}


@articles.delete("/{slug}/comments/{number:int}")
def delete_comment(slug: str, number: int, session: Session, user: User) -> None:
    """Takes one's own comment back."""
    comment = session.comment(_article(session, slug, user)["id"], number)
    if comment is None:
        raise HttpError(404, {"comment": ["not found"]})
    if comment["author"] != user["id"]:
        raise HttpError(403, {"comment": ["is not yours"]})
    session.delete_comment(number)


@tags.get("")
def all_tags(session: Session) -> dict[str, list[str]]:
    """Every tag that an article has."""
    return {"tags": session.tags()}


def _list(rows: list[Row], count: int) -> dict[str, Any]:
    return {"articles": [models.article(row, body=False) for row in rows], "articlesCount": count}


def _shown(session: Session, slug: str, reader: Row | None) -> dict[str, Any]:
    return {"article": models.article(_article(session, slug, reader))}


def _article(session: Session, slug: str, reader: Row | None) -> Row:
    row = session.article(slug, _id(reader))
    if row is None:
        raise HttpError(404, {"article": ["not found"]})
    return row


def _own(session: Session, slug: str, user: Row) -> Row:
    row = _article(session, slug, user)
    if row["author"] != user["id"]:
        raise HttpError(403, {"article": ["is not yours"]})
    return row


def _id(reader: Row | None) -> int:
    return 0 if reader is None else int(reader["id"])


def _slug(title: str) -> str:
    """Readable, and nobody else's: titles may be the same."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return f"{words}-{secrets.token_hex(4)}".lstrip("-")
