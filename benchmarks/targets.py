"""The ratios that slimeweb is to reach, by workload and by whom it is compared with. They are shown, never enforced."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["TARGETS", "target"]

EVERYWHERE = {"robyn": 2.0, "fastapi": 6.0}

TARGETS: Mapping[str, Mapping[str, float]] = {
    "plaintext": {"bare-hyper": 0.85, "granian": 1.2, "socketify": 1.0},
    "plaintext-async": {"bare-hyper": 0.75, "granian": 1.2},
    "sleep": {"bare-hyper": 0.45, "granian": 1.1},
    "future": {"bare-hyper": 0.45, "granian": 1.1},
    "json": {"bare-hyper": 0.80, "granian": 1.2},
    "parameters": {"bare-hyper": 0.75, "granian": 1.2},
    "stream": {"bare-hyper": 0.55, "granian": 1.5},
    "post-1k": {"bare-hyper": 0.70, "granian": 1.2},
    "websocket": {"granian": 1.2},
}


def target(workload: str, family: str) -> float | None:
    """The least ratio to that rival, None where there is no target."""
    if workload not in TARGETS:
        return None
    return TARGETS[workload].get(family, EVERYWHERE.get(family))
