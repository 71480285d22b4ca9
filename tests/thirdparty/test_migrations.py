"""SQL migrations, by a plugin that runs them before requests are served and adds a command."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from support.environments import Environment
from support.process import ServerProcess

PLUGIN = "slimeweb-migrations"
ALSO = ("slimeweb-cli",)

HERE = Path(__file__).parent
FIRST = "-- Who there is; nobody yet.\nCREATE TABLE users (name TEXT);\nINSERT INTO users VALUES ('a;b');\n"
SECOND = "ALTER TABLE users ADD COLUMN mail TEXT DEFAULT 'none'"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_users.sql").write_text(FIRST)
    (folder / "0002_mail.sql").write_text(SECOND)
    return Path(shutil.copy(HERE / PLUGIN / "example.py", tmp_path))


@pytest.fixture
def database(app: Path) -> Path:
    return app.with_name("app.db")


def serving(app: Path, environment: Environment) -> ServerProcess:
    return ServerProcess(app, python=environment.interpreter, env={"SLIME_DATABASE": "app.db"})


def slime(environment: Environment, database: Path) -> subprocess.CompletedProcess[str]:
    command = [environment.interpreter.with_name("slime"), "migrate", "--database", database]
    return subprocess.run(command, cwd=database.parent, capture_output=True, text=True, timeout=60, check=False)


def version(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def test_migrations_are_done_before_start_functions_and_once(
    app: Path, environment: Environment, database: Path
) -> None:
    for turn in (1, 2):
        with serving(app, environment) as server:
            users = server.wait_until_serving().ask("/users").json()
        assert users == [["a;b", "none"], *[["Ada", "none"]] * turn]
    assert version(database) == 2


def test_it_refuses_to_start_when_the_database_is_ahead(app: Path, environment: Environment, database: Path) -> None:
    assert slime(environment, database).returncode == 0
    (app.parent / "migrations" / "0002_mail.sql").unlink()
    with serving(app, environment) as server:
        assert server.wait() != 0
    assert "plugin 'migrations'" in server.output
    assert f"{database} is at version 2, and {database.parent}/migrations ends with 1" in server.output


def test_a_migration_that_fails_ends_the_start_and_leaves_nothing(
    app: Path, environment: Environment, database: Path
) -> None:
    (app.parent / "migrations" / "0002_mail.sql").write_text(f"{SECOND};\nDROP TABLE nowhere;")
    with serving(app, environment) as server:
        assert server.wait() != 0
    assert "0002_mail.sql: no such table: nowhere" in server.output
    assert version(database) == 0


def test_the_command_runs_them_and_says_which(app: Path, environment: Environment, database: Path) -> None:
    assert slime(environment, database).stdout == "0001_users.sql\n0002_mail.sql\n"
    assert slime(environment, database).stdout == "nothing to do\n"
    (app.parent / "migrations" / "0002_mail.sql").unlink()
    done = slime(environment, database)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is at version 2, and migrations ends with 1" in done.stderr


def test_processes_that_start_at_once_run_each_migration_once(
    app: Path, environment: Environment, database: Path
) -> None:
    with serving(app, environment) as one, serving(app, environment) as other:
        one.wait_until_serving()
        other.wait_until_serving()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM users WHERE name = 'a;b'").fetchone() == (1,)
