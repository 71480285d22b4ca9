"""A PostgreSQL server of the benchmark's own, for the workload that asks one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

__all__ = ["ROWS", "Database", "DatabaseMissing", "expected"]

ROWS = 10_000
QUERIES = 20
# Root may not run PostgreSQL; Debian's package brings this user.
USER = "postgres"
SETTINGS = {"fsync": "off", "listen_addresses": "''", "max_connections": "500", "shared_buffers": "64MB"}


class DatabaseMissing(Exception):
    """There is no PostgreSQL server to be had; the text says why."""


def expected(start: int) -> int:
    """The sum of the 20 values that a server reads for `/database/{start}`: row `id` holds `3 * id`."""
    return sum(3 * ((start + 37 * step) % ROWS + 1) for step in range(QUERIES))


class Database:
    """Runs while the context lasts, on a Unix socket in a folder of its own. `url` is what clients connect to."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._user = USER if os.geteuid() == 0 else None
        if self._user is not None:
            try:
                pwd.getpwnam(USER)
            except KeyError:
                raise DatabaseMissing(f"PostgreSQL does not run as root, and there is no user {USER!r}") from None
        self._folder = Path(tempfile.mkdtemp(prefix="slime-pg-"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self.url = f"postgresql:///postgres?host={self._folder}&user=postgres"

    def __enter__(self) -> Database:
        data = str(self._folder / "data")
        try:
            self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
            options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
            log = str(self._folder / "log")
            self._run("pg_ctl", "-D", data, "-l", log, "-w", "-o", f"-k {self._folder} {options}", "start")
            self._run("psql", self.url, "-q", "-v", "ON_ERROR_STOP=1", "-c", _TABLE)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        data = str(self._folder / "data")
        subprocess.run(
            [self._programs["pg_ctl"], "-D", data, "-m", "immediate", "-w", "stop"],
            user=self._user, cwd=self._folder, capture_output=True, check=False,
        )  # fmt: skip
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        # Not pipes: the server inherits them, and would keep them open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [self._programs[program], *arguments],
                user=self._user, cwd=self._folder, stdout=output, stderr=output, check=False, timeout=120,
            )  # fmt: skip
            if done.returncode:
                output.seek(0)
                raise DatabaseMissing(f"{program} failed: {output.read().decode(errors='replace')[-500:]}")


_TABLE = f"""
create table numbers (id integer primary key, value integer not null);
insert into numbers select id, 3 * id from generate_series(1, {ROWS}) as id;
analyze numbers
"""


def _programs() -> dict[str, str]:
    """Where PostgreSQL's programs are. Debian keeps those of the server out of PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    path = os.pathsep.join([*map(str, reversed(versions)), os.environ.get("PATH", "")])
    found = {name: shutil.which(name, path=path) for name in ("initdb", "pg_ctl", "psql")}
    missing = [name for name, where in found.items() if where is None]
    if missing:
        raise DatabaseMissing(f"no {', '.join(missing)}: install PostgreSQL (apt-get install postgresql)")
    return {name: where for name, where in found.items() if where is not None}
