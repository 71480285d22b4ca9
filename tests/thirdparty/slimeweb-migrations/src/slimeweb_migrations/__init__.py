"""SQL migrations of an SQLite database, before an application serves: `serve(database="app.db")`.

The folder `migrations` beside the application has `0001_users.sql`, `0002_index_on_email.sql`, and so on. Each runs
once, in a transaction; `PRAGMA user_version` is the number of the last. `slime migrate` does the same without serving.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from slimeweb import ServeOption, Slime, hookimpl
from slimeweb.commands import Commands

__all__ = ["MigrationError", "Migrations", "migrate"]


class MigrationError(Exception):
    """The database cannot be brought to where the migrations lead."""


class Migrations:
    """The plugin."""

    @hookimpl
    def slime_serve_options(self) -> Sequence[ServeOption]:
        """`serve(database="app.db", migrations="migrations")`: a file, and a folder beside the application."""
        return [ServeOption("database", validate=str), ServeOption("migrations", default="migrations", validate=str)]

    @hookimpl(tryfirst=True)
    def slime_startup(self, app: Slime) -> None:
        """Before other plugins and `@app.start` functions use the database."""
        database = app.serve_options["database"]
        if database is not None:
            migrate(app.root / database, app.root / app.serve_options["migrations"])

    @hookimpl
    def slime_cli(self, commands: Commands) -> None:
        """`slime migrate`."""

        def configure(parser: argparse.ArgumentParser) -> None:
            database = os.environ.get("SLIME_DATABASE")
            parser.add_argument("--database", default=database, required=database is None)
            parser.add_argument("--migrations", default=os.environ.get("SLIME_MIGRATIONS", "migrations"))

        def run(arguments: argparse.Namespace) -> int:
            try:
                done = migrate(Path(arguments.database), Path(arguments.migrations))
            except MigrationError as error:
                print(error, file=sys.stderr)
                return 1
            print("\n".join(done) or "nothing to do")
            return 0

        commands.add("migrate", run, help="runs the SQL migrations of a database", configure=configure)


def migrate(database: Path, folder: Path) -> list[str]:
    """Runs what has not been run, and returns the names. Several processes at once wait for each other."""
    files = {int(path.name.partition("_")[0]): path for path in sorted(folder.glob("[0-9]*_*.sql"))}
    with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
        # Ended by COMMIT, or by closing the connection, which takes all of it back.
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        latest = max(files, default=0)
        if version > latest:
            raise MigrationError(f"{database} is at version {version}, and {folder} ends with {latest}: update it")
        todo = [number for number in sorted(files) if number > version]
        for number in todo:
            try:
                for statement in _statements(files[number].read_text("utf-8")):
                    connection.execute(statement)
            except sqlite3.Error as error:
                raise MigrationError(f"{files[number]}: {error}") from error
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    return [files[number].name for number in todo]


def _statements(sql: str) -> Iterator[str]:
    statement = ""
    for part in sql.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
