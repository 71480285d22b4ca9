"""The benchmark's own PostgreSQL."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.database import Database, DatabaseMissing, expected
from benchmarks.workloads import workload


def test_rows_hold_what_the_workload_expects_and_nothing_stays() -> None:
    try:
        server = Database()
    except DatabaseMissing as error:
        pytest.skip(f"missing tool: {error}")
    with server:
        ids = ", ".join(str((9_999 + 37 * step) % 10_000 + 1) for step in range(20))
        query = f"select sum(value) from numbers where id in ({ids})"
        done = subprocess.run(["psql", server.url, "-Atc", query], capture_output=True, text=True, check=True)
        assert int(done.stdout) == expected(9_999)
        folder = Path(server.url.partition("host=")[2].partition("&")[0])
        assert folder.is_dir()
    assert not folder.exists()


def test_a_machine_without_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    with pytest.raises(DatabaseMissing, match="apt-get install postgresql"):
        Database()


def test_the_answer_depends_on_the_request() -> None:
    first, second = workload("database").probes
    assert first.expected.body != second.expected.body
