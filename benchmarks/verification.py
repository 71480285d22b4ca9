"""Equal work or no measure: each server's answer to each workload is checked before it is timed."""

from __future__ import annotations

from benchmarks.exchange import BadAnswer, Connection, Reply
from benchmarks.load import LoadFailed, websocket_load
from benchmarks.workloads import ECHO, Probe, Workload

__all__ = ["WrongAnswer", "verify"]

# Asked so often in a row on one connection, an answer must stay right, and the connection alive.
REPEATS = 2


class WrongAnswer(Exception):
    """A server does not answer a workload as it must to be measured."""


def verify(port: int, workload: Workload, websocket_client: str) -> None:
    """Raises WrongAnswer unless the server behind the port does this workload's work."""
    if workload.name == ECHO.name:
        try:
            websocket_load(websocket_client, port, seconds=0.05, connections=2)
        except LoadFailed as error:
            raise WrongAnswer(str(error)) from error
        return
    try:
        with Connection(port) as connection:
            for probe in workload.probes * REPEATS:
                _check(probe, connection.exchange(probe.request))
    except (OSError, BadAnswer) as error:
        raise WrongAnswer(f"{workload.request.method} {workload.request.path}: {error}") from error


def _check(probe: Probe, reply: Reply) -> None:
    where = f"{probe.request.method} {probe.request.path}"
    if reply.status != 200:
        raise WrongAnswer(f"{where}: status {reply.status}")
    if wrong := probe.expected.differs(reply.media_type, reply.body, reply.chunks):
        raise WrongAnswer(f"{where}: {wrong}")
