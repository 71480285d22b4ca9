"""Arithmetic on what was measured: medians, and ratios between servers taken round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["Ratio", "Results", "Spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster one server is than another: the median of the ratios within each round."""

    spread: Spread
    rival: str


class Results:
    """One run of the benchmark, as it lies in the JSON file."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._rates: dict[tuple[str, str], dict[int, float]] = {}
        for each in document["measurements"]:
            self._rates.setdefault((each["workload"], each["server"]), {})[each["round"]] = each["rate"]
        # A server that failed in the middle has figures from before; half a measure is none.
        for failure in document["failures"]:
            for key in list(self._rates):
                if key[1] == failure["server"] and failure["workload"] in (None, key[0]):
                    del self._rates[key]

    @property
    def workloads(self) -> dict[str, dict[str, Any]]:
        """The workloads of this run, by name, in order."""
        workloads: dict[str, dict[str, Any]] = self.document["workloads"]
        return workloads

    @property
    def servers(self) -> dict[str, dict[str, Any]]:
        """The servers of this run, by name, in order."""
        servers: dict[str, dict[str, Any]] = self.document["servers"]
        return servers

    def rate(self, workload: str, server: str) -> Spread | None:
        """Answers per second, or None where there is no measure."""
        rounds = self._rates.get((workload, server))
        return Spread.of(list(rounds.values())) if rounds else None

    def ratio(self, workload: str, server: str, base: str) -> Spread | None:
        """`server` over `base`, from the rounds that have both."""
        ours = self._rates.get((workload, server), {})
        theirs = self._rates.get((workload, base), {})
        values = [rate / theirs[number] for number, rate in ours.items() if theirs.get(number)]
        return Spread.of(values) if values else None

    def against(self, workload: str, server: str, family: str) -> Ratio | None:
        """`server` over the better mode of a rival: the one whose median is higher."""
        modes = [name for name, each in self.servers.items() if each["family"] == family]
        measured = {name: spread.median for name in modes if (spread := self.rate(workload, name))}
        if not measured:
            return None
        best = max(measured, key=lambda name: measured[name])
        spread = self.ratio(workload, server, best)
        return Ratio(spread, best) if spread else None

    def footprint(self, server: str, name: str) -> Spread | None:
        """A field of the server's footprints, None where one of them has no figure for it."""
        values = [each[name] for each in self.document["footprints"].get(server, [])]
        return Spread.of(values) if values and None not in values else None
