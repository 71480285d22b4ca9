"""Rounds: every server does every workload once a round, side by side in time, in an order that rotates.

What the machine does meanwhile then hits all servers alike, and ratios within one round mean something.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.database import Database, DatabaseMissing
from benchmarks.environments import Environments
from benchmarks.footprint import Footprint, footprint
from benchmarks.load import LoadFailed, load
from benchmarks.processes import Process, ServerFailed, free_port
from benchmarks.servers import Server
from benchmarks.verification import WrongAnswer, verify
from benchmarks.workloads import APPS, DATABASE, Workload

__all__ = ["Bench", "Failure", "Measurement", "rotated"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of the load generator: answers per second, latencies in microseconds."""

    workload: str
    server: str
    round: int
    rate: float
    p50: int | None
    p99: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a server has no figure; `workload` is None when it did not even start."""

    server: str
    workload: str | None
    reason: str


@dataclass(slots=True)
class Bench:
    """One run of the benchmark. Servers stay up between their turns; idle ones cost no processor time."""

    environments: Environments
    servers: Sequence[Server]
    workloads: Sequence[Workload]
    logs: Path
    measurements: list[Measurement] = field(default_factory=list)
    footprints: dict[str, list[Footprint]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    _running: dict[str, Process] = field(default_factory=dict)
    _resources: ExitStack = field(default_factory=ExitStack)
    _env: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Starts every server, and reports those that do not come up; a database server where a workload needs one."""
        if any(workload.name == DATABASE.name for workload in self.workloads):
            try:
                self._env["DATABASE"] = self._resources.enter_context(Database()).url
            except DatabaseMissing as error:
                for server in self.servers:
                    if DATABASE.name not in server.not_for:
                        self._fail(server, DATABASE, str(error))
        for server in self.servers:
            process = self._spawn(server)
            try:
                process.wait_ready()
            except ServerFailed as error:
                process.stop()
                self._fail(server, None, str(error))
            else:
                self._running[server.name] = process

    def stop(self) -> None:
        """Ends every server, and the database."""
        for process in self._running.values():
            process.stop()
        self._running.clear()
        self._resources.close()

    def verify(self) -> None:
        """Checks each answer; what is wrong is reported and not measured."""
        for server in self.servers:
            for workload in self.workloads:
                if self._measurable(server, workload):
                    try:
                        verify(self._running[server.name].port, workload, self._client)
                    except WrongAnswer as error:
                        self._fail(server, workload, str(error))

    def measure(self, rounds: int, seconds: int) -> None:
        """Warms each pair of server and workload up, then measures it once a round. `seconds` are per run."""
        for workload in self.workloads:
            for server in self.servers:
                self._load(server, workload, 1, None)
        for number in range(rounds):
            _say(f"round {number + 1} of {rounds}")
            for turn, workload in enumerate(self.workloads):
                for server in rotated(self.servers, number + turn):
                    self._load(server, workload, seconds, number)

    def measure_footprints(self, rounds: int) -> None:
        """Measures what fresh, idle servers cost, likewise in rounds."""
        for number in range(rounds):
            for server in rotated(self.servers, number):
                if any((failure.server, failure.workload) == (server.name, None) for failure in self.failures):
                    continue
                _say(f"footprint of {server.title}, {number + 1} of {rounds}")
                try:
                    measured = footprint(partial(self._spawn, server))
                except ServerFailed as error:
                    self._fail(server, None, str(error))
                else:
                    self.footprints.setdefault(server.name, []).append(measured)

    def port(self, server: Server) -> int | None:
        """Where a server listens; None when it is not up."""
        process = self._running.get(server.name)
        return process.port if process is not None and process.alive else None

    def as_json(self) -> dict[str, Any]:
        """Everything measured, as plain data."""
        return {
            "measurements": [asdict(each) for each in self.measurements],
            "footprints": {name: [asdict(each) for each in those] for name, those in self.footprints.items()},
            "failures": [asdict(each) for each in self.failures],
        }

    @property
    def _client(self) -> str:
        return str(self.environments.native("websocket-load"))

    def _spawn(self, server: Server) -> Process:
        port = free_port()
        log = self.logs / f"{server.name}.log"
        return Process(server.command(self.environments, port), port, log, cwd=APPS, env=server.env(port) | self._env)

    def _measurable(self, server: Server, workload: Workload) -> bool:
        if server.name not in self._running or workload.name in server.not_for:
            return False
        return all((each.server, each.workload) != (server.name, workload.name) for each in self.failures)

    def _load(self, server: Server, workload: Workload, seconds: int, number: int | None) -> None:
        if not self._measurable(server, workload):
            return
        process = self._running[server.name]
        try:
            result = load(workload, process.port, seconds, self._client)
        except LoadFailed as error:
            self._fail(server, workload, str(error))
            if not process.alive:
                process.stop()
                del self._running[server.name]
                self._fail(server, None, f"ended during {workload.title}: {process.last_words()}")
            return
        if number is not None:
            self.measurements.append(
                Measurement(workload.name, server.name, number, result.rate, result.p50, result.p99)
            )

    def _fail(self, server: Server, workload: Workload | None, reason: str) -> None:
        self.failures.append(Failure(server.name, workload.name if workload else None, reason))
        _say(f"{server.title}{f', {workload.title}' if workload else ''}: {reason}")


def rotated(items: Sequence[Item], by: int) -> list[Item]:
    """The same items, starting with another one."""
    by %= len(items)
    return [*items[by:], *items[:by]]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
