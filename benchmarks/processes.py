"""A server's process and those that it starts: their life, their output and their memory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.exchange import BadAnswer, Connection
from benchmarks.workloads import PLAINTEXT

__all__ = ["Memory", "Process", "ServerFailed", "free_port"]

POLL = 0.001
STOP_TIMEOUT = 5.0


class ServerFailed(Exception):
    """A server did not start, or is gone."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a server's processes together. Pages that several share count once in `pss`, once for each in `rss`."""

    rss: int
    pss: int


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A started server. It leads a session of its own, by which all its descendants are found."""

    def __init__(self, command: Sequence[str], port: int, log: Path, *, cwd: Path, env: Mapping[str, str]) -> None:
        self.port = port
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._started = time.perf_counter()
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, timeout: float = 20.0) -> float:
        """Waits for the first right answer; returns the seconds from the start of the process to it."""
        probe = PLAINTEXT.probes[0]
        deadline = self._started + timeout
        seen = "nothing listens"
        while time.perf_counter() < deadline:
            if not self.alive:
                raise ServerFailed(f"ended with code {self._popen.returncode}: {self.last_words()}")
            try:
                with Connection(self.port, timeout=1.0) as connection:
                    reply = connection.exchange(probe.request)
                if (reply.status, reply.body) == (200, probe.expected.body):
                    return time.perf_counter() - self._started
                seen = f"{probe.request.path} was answered with {reply.status}"
            except (OSError, BadAnswer) as error:
                seen = str(error)
            time.sleep(POLL)
        raise ServerFailed(f"not ready after {timeout:.0f} s ({seen}): {self.last_words()}")

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def last_words(self, limit: int = 400) -> str:
        """The end of what the server printed."""
        text = self._log.read_text("utf-8", "replace").strip()
        return " | ".join(text[-limit:].splitlines()) or "it printed nothing"

    def memory(self) -> Memory:
        """What the server's processes hold now."""
        parts = [_memory(pid) for pid in self._session()]
        return Memory(sum(part.rss for part in parts), sum(part.pss for part in parts))

    def stop(self) -> None:
        """Ends all processes of the session: politely, then not."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while self._session() and time.monotonic() < deadline:
            self._popen.poll()
            time.sleep(0.01)
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._session():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _session(self) -> list[int]:
        return [pid for pid in _pids() if _session_of(pid) == self._popen.pid]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _session_of(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold parentheses itself; after the last one come state, parent, group and session.
    state, _parent, _group, session = stat.rpartition(")")[2].split()[:4]
    return None if state == "Z" else int(session)


def _memory(pid: int) -> Memory:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return Memory(0, 0)
    fields = dict(line.split(":", 1) for line in text.splitlines()[1:])
    return Memory(_kilobytes(fields["Rss"]), _kilobytes(fields["Pss"]))


def _kilobytes(field: str) -> int:
    return int(field.split()[0]) * 1024
