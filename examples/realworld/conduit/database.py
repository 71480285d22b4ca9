"""What Conduit keeps, in SQLite: the tables, and the queries over them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Database", "Row", "Session"]

Row = dict[str, Any]

_SCHEMA = """
create table if not exists users (
    id integer primary key, username text not null unique, email text not null unique, password text not null,
    bio text, image text
);
create table if not exists follows (
    follower integer not null references users, followed integer not null references users,
    primary key (follower, followed)
) without rowid;
create table if not exists articles (
    id integer primary key, slug text not null unique, title text not null, description text not null,
    body text not null, author integer not null references users, created_at text not null, updated_at text not null
);
create table if not exists tags (
    article integer not null references articles on delete cascade, name text not null, primary key (article, name)
) without rowid;
create index if not exists tags_by_name on tags (name);
create table if not exists favorites (
    user integer not null references users, article integer not null references articles on delete cascade,
    primary key (user, article)
) without rowid;
create table if not exists comments (
    id integer primary key, article integer not null references articles on delete cascade,
    author integer not null references users, body text not null, created_at text not null, updated_at text not null
);
"""

_ARTICLES = """
select articles.*, users.username, users.bio, users.image,
    exists (select 1 from follows where follower = :viewer and followed = author) as following,
    exists (select 1 from favorites where user = :viewer and article = articles.id) as favorited,
    (select count(*) from favorites where article = articles.id) as favorites_count,
    (select json_group_array(name) from (select name from tags where article = articles.id order by name)) as tags
from articles join users on users.id = author
"""

_COMMENTS = """
select comments.*, users.username, users.bio, users.image,
    exists (select 1 from follows where follower = :viewer and followed = author) as following
from comments join users on users.id = author
"""


class Database:
    """A file with the tables. Sessions may be open on many threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._connection()) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_SCHEMA)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session in a transaction of its own: committed at the end, rolled back where something is raised."""
        with closing(self._connection()) as connection:
            # Takes its place among the writers at once: a transaction that has read cannot be made to wait later.
            connection.execute("begin immediate")
            try:
                yield Session(connection)
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def _connection(self) -> sqlite3.Connection:
        # A plain handler's resource may be made on one thread and ended on another, never used by two at once.
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma foreign_keys = on")
        return connection


class Session:
    """The queries. `viewer` is the identifier of the user who asks, 0 for nobody."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add_user(self, username: str, email: str, password: str) -> Row:
        """The new user. `sqlite3.IntegrityError` where the name or the address is taken."""
        values = (username, email, password)
        return self._one("insert into users (username, email, password) values (?, ?, ?) returning *", values)

    def update_user(self, identifier: int, changes: Row) -> Row:
        """The user, with these columns changed. `sqlite3.IntegrityError` as above."""
        names = ", ".join(f"{name} = ?" for name in ("id", *changes))
        return self._one(
            f"update users set {names} where id = ? returning *", (identifier, *changes.values(), identifier)
        )

    def user(self, column: str, value: object) -> Row | None:
        """The user with that `id`, `username` or `email`."""
        return self._first(f"select * from users where {column} = ?", (value,))

    def follow(self, follower: int, followed: int) -> None:
        """Twice is as good as once."""
        self._connection.execute("insert or ignore into follows values (?, ?)", (follower, followed))

    def unfollow(self, follower: int, followed: int) -> None:
        """Whether followed before or not."""
        self._connection.execute("delete from follows where follower = ? and followed = ?", (follower, followed))

    def follows(self, follower: int, followed: int) -> bool:
        """Whether the one follows the other."""
        found = self._first("select 1 from follows where follower = ? and followed = ?", (follower, followed))
        return found is not None

    def add_article(self, author: int, slug: str, title: str, description: str, body: str, tags: Sequence[str]) -> None:
        """`sqlite3.IntegrityError` where the slug is taken."""
        now = _now()
        article = self._one(
            "insert into articles (slug, title, description, body, author, created_at, updated_at) "
            "values (?, ?, ?, ?, ?, ?, ?) returning id",
            (slug, title, description, body, author, now, now),
        )
        self._connection.executemany("insert into tags values (?, ?)", [(article["id"], name) for name in {*tags}])

    def update_article(self, identifier: int, changes: Row) -> None:
        """`sqlite3.IntegrityError` where a new slug is taken."""
        changes = {**changes, "updated_at": _now()}
        names = ", ".join(f"{name} = ?" for name in changes)
        self._connection.execute(f"update articles set {names} where id = ?", (*changes.values(), identifier))

    def delete_article(self, identifier: int) -> None:
        """With its tags, favorites and comments."""
        self._connection.execute("delete from articles where id = ?", (identifier,))

    def article(self, slug: str, viewer: int) -> Row | None:
        """The article of that slug."""
        return self._first(f"{_ARTICLES} where slug = :slug", {"slug": slug, "viewer": viewer})

    def articles(
        self,
        viewer: int,
        *,
        tag: str | None = None,
        author: str | None = None,
        favorited: str | None = None,
        followed: bool = False,
        limit: int,
        offset: int,
    ) -> tuple[list[Row], int]:
        """Some of the articles that meet all conditions, newest first, and how many do; `favorited` is a user's name,
        `followed` is for those whose author the viewer follows.
        """
        conditions = ["1"]
        if tag is not None:
            conditions.append("exists (select 1 from tags where article = articles.id and name = :tag)")
        if author is not None:
            conditions.append("users.username = :author")
        if favorited is not None:
            conditions.append(
                "exists (select 1 from favorites join users as fans on fans.id = favorites.user "
                "where article = articles.id and fans.username = :favorited)"
            )
        if followed:
            conditions.append("following")
        found = f"{_ARTICLES} where {' and '.join(conditions)}"
        values = {
            "viewer": viewer,
            "tag": tag,
            "author": author,
            "favorited": favorited,
            "limit": limit,
            "offset": offset,
        }
        rows = self._all(f"{found} order by articles.id desc limit :limit offset :offset", values)
        return rows, int(self._one(f"select count(*) as count from ({found})", values)["count"])

    def favorite(self, user: int, article: int) -> None:
        """Twice is as good as once."""
        self._connection.execute("insert or ignore into favorites values (?, ?)", (user, article))

    def unfavorite(self, user: int, article: int) -> None:
        """Whether it was a favorite before or not."""
        self._connection.execute("delete from favorites where user = ? and article = ?", (user, article))

    def add_comment(self, article: int, author: int, body: str) -> Row:
        """The new comment."""
        now = _now()
        made = self._one(
            "insert into comments (article, author, body, created_at, updated_at) values (?, ?, ?, ?, ?) returning id",
            (article, author, body, now, now),
        )
        return self._one(f"{_COMMENTS} where comments.id = :id", {"id": made["id"], "viewer": author})

    def comments(self, article: int, viewer: int) -> list[Row]:
        """An article's, the oldest first."""
        return self._all(
            f"{_COMMENTS} where article = :article order by comments.id", {"article": article, "viewer": viewer}
        )

    def comment(self, article: int, identifier: int) -> Row | None:
        """A comment of that article."""
        return self._first("select * from comments where article = ? and id = ?", (article, identifier))

    def delete_comment(self, identifier: int) -> None:
        """Whether it is there or not."""
        self._connection.execute("delete from comments where id = ?", (identifier,))

    def tags(self) -> list[str]:
        """Every tag of an article, those of most articles first."""
        return [
            row["name"] for row in self._all("select name from tags group by name order by count(*) desc, name", ())
        ]

    def _all(self, query: str, values: Sequence[Any] | Row) -> list[Row]:
        return [dict(row) for row in self._connection.execute(query, values)]

    def _first(self, query: str, values: Sequence[Any] | Row) -> Row | None:
        rows = self._all(query, values)
        return rows[0] if rows else None

    def _one(self, query: str, values: Sequence[Any] | Row) -> Row:
        (row,) = self._all(query, values)
        return row


def _now() -> str:
    """As the specification has times: UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
