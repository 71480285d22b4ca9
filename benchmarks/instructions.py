"""How many instructions a request costs slimeweb's process, counted by callgrind: a figure that repeats.

One connection asks one thing at a time, so that each request pays for a whole turn of its worker. Only what runs in
user space counts. `make instructions` uses what the last `make bench` or `make bench-quick` has built.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.environments import BuildFailed, build
from benchmarks.exchange import Connection, EchoConnection
from benchmarks.processes import Process, ServerFailed, free_port
from benchmarks.workloads import APPS, ECHO, workload

__all__ = ["LIMITS", "main"]

LIMITS = {
    "plaintext": 22_000,
    "plaintext-async": 28_500,
    "sleep": 46_000,
    "json": 26_500,
    "parameters": 31_500,
    "stream": 80_000,
    "websocket": 24_000,
}
"""Instructions per request or message that a workload may need: about an eighth above what it needs."""

# As long as the text of `websocket-load`.
SAID = b"thirty-two bytes that come back."
WARM_UP = 400
REQUESTS = 1000
# callgrind slows a process down about fifty times.
PATIENCE = 120.0


class NoCount(Exception):
    """callgrind is not there, or says nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 1 where a workload needs more than its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--uv", default="uv", help="the program uv")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "slimeweb", help="for environments")
    options = parser.parse_args(arguments)
    try:
        environments = build(options.cache, options.uv, ["slimeweb"], fresh=False)
        counted = count(environments.python("slimeweb"))
    except (BuildFailed, NoCount, ServerFailed, OSError) as error:
        print(f"benchmarks.instructions: {error}", file=sys.stderr)
        return 2
    print("| workload | instructions per request | limit |\n| --- | ---: | ---: |")
    for name, instructions in counted.items():
        print(f"| {workload(name).title} | {instructions:,} | {LIMITS[name]:,} |")
    over = [name for name, instructions in counted.items() if instructions > LIMITS[name]]
    if over:
        print(f"too many instructions: {', '.join(over)}; if they are worth it, raise the limit", file=sys.stderr)
    return 1 if over else 0


def count(python: Path) -> dict[str, int]:
    """Instructions per request for each workload that has a limit."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        port = free_port()
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}", str(python)]
        environment = {**os.environ, "PORT": str(port), "WORKERS": "1"}
        process = Process(
            [*command, str(APPS / "slimeweb_app.py")], port, Path(folder) / "log", cwd=APPS, env=environment
        )
        try:
            process.wait_ready(PATIENCE)
            return {name: _count(port, name, process.pid, out) for name in LIMITS}
        finally:
            process.stop()


def _count(port: int, name: str, pid: int, out: Path) -> int:
    with _asking(port, name) as ask:
        for _ in range(WARM_UP):
            ask()
        _control(pid, "--instr=on")
        for _ in range(REQUESTS):
            ask()
        _control(pid, "--instr=off")
    before = set(out.parent.iterdir())
    _control(pid, "--dump")
    (dump,) = set(out.parent.iterdir()) - before
    found = re.search(r"^totals: (\d+)", dump.read_text("utf-8", "replace"), re.MULTILINE)
    if found is None:
        raise NoCount(f"callgrind has counted nothing for {name}")
    return int(found[1]) // REQUESTS


@contextmanager
def _asking(port: int, name: str) -> Iterator[Callable[[], object]]:
    """What asks for a workload's work once and has the answer, on one connection."""
    if name == ECHO.name:
        with EchoConnection(port, timeout=PATIENCE) as echo:
            yield lambda: echo.exchange(SAID)
    else:
        request = workload(name).request
        with Connection(port, timeout=PATIENCE) as connection:
            yield lambda: connection.exchange(request)


def _control(pid: int, order: str) -> None:
    try:
        done = subprocess.run(["callgrind_control", order, str(pid)], capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise NoCount("callgrind_control was not found: apt-get install valgrind") from error
    if done.returncode != 0:
        raise NoCount(f"callgrind_control {order}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
