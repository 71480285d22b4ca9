"""What a process holds, as the kernel tells it: memory, files and threads (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Footprint", "footprint", "peak_memory", "resident_memory"]


@dataclass(frozen=True, order=True)
class Footprint:
    """How many file descriptors and threads a process has."""

    descriptors: int
    threads: int


def footprint(pid: int) -> Footprint:
    return Footprint(
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=len(os.listdir(f"/proc/{pid}/task")),
    )


def resident_memory(pid: int) -> int:
    """Bytes in memory now."""
    return _status_kib(pid, "VmRSS") * 1024


def peak_memory(pid: int) -> int:
    """The most bytes that were ever in memory."""
    return _status_kib(pid, "VmHWM") * 1024


def _status_kib(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise LookupError(f"/proc/{pid}/status has no {field}")
