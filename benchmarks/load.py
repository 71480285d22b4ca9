"""The load generators, and what they report."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.workloads import ECHO, Request, Workload

__all__ = [
    "CONNECTIONS",
    "Load",
    "LoadFailed",
    "load",
    "parse_websocket_load",
    "parse_wrk",
    "websocket_load",
]

CONNECTIONS = 64
SCRIPT = Path(__file__).with_name("load.lua")
# A generator that takes this much longer than it was told to hangs.
PATIENCE = 15.0


class LoadFailed(Exception):
    """A run whose figures cannot be used."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run came to: answers per second, and for HTTP the latencies in microseconds."""

    rate: float
    p50: int | None = None
    p99: int | None = None


def load(workload: Workload, port: int, seconds: int, websocket_client: str) -> Load:
    """Loads a server for some seconds. LoadFailed unless every answer was a success."""
    if workload.name == ECHO.name:
        return websocket_load(websocket_client, port, seconds)
    return http_load(workload.request, port, seconds)


def http_load(request: Request, port: int, seconds: int) -> Load:
    """Runs wrk with one thread and 64 connections; wrk wants whole seconds."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadFailed("wrk is not installed: apt-get install wrk")
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT)]
    headers = [text for field in request.headers for text in field]
    url = f"http://127.0.0.1:{port}{request.path}"
    return parse_wrk(_run([wrk, *options, url, "--", request.method, str(request.body_size), *headers], seconds))


def websocket_load(client: str, port: int, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Runs our own echo client, the binary `websocket-load`."""
    options = {"--port": port, "--path": "/echo", "--connections": connections, "--seconds": seconds}
    return parse_websocket_load(_run([client, *(str(part) for pair in options.items() for part in pair)], seconds))


def parse_wrk(output: str) -> Load:
    """Reads the line that load.lua prints. LoadFailed where there is none, or where it counts errors."""
    report = _report(output)
    errors = {name: count for name in ("connect", "read", "write", "status", "timeout") if (count := report[name])}
    if errors:
        raise LoadFailed(f"{report['requests']} answers, and errors: {errors}")
    if not report["requests"]:
        raise LoadFailed("no answer at all")
    return Load(report["requests"] / report["microseconds"] * 1_000_000, report["p50"], report["p99"])


def parse_websocket_load(output: str) -> Load:
    """Reads what `websocket-load` prints, by the same rules."""
    report = _report(output)
    if report["failed"]:
        raise LoadFailed(f"{report['failed']} connections failed: {'; '.join(report['errors'])}")
    if not report["messages"]:
        raise LoadFailed("no message came back")
    return Load(report["rate"])


def _report(output: str) -> dict[str, Any]:
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            report: dict[str, Any] = json.loads(line)
            return report
    raise LoadFailed(f"the load generator reported nothing: {output.strip()[-300:] or 'no output'}")


def _run(command: Sequence[str], seconds: float) -> str:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds + PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"{Path(command[0]).name} did not end {PATIENCE:.0f} s after its time") from error
    return done.stdout
