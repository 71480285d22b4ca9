"""A small run with figures that are easy to check by head."""

from typing import Any

from benchmarks.results import Results

# By workload and server, the rates of three rounds; in the second the machine was half as fast.
RATES = {
    "plaintext": {
        "bare-hyper": [1000.0, 500.0, 1000.0],
        "slimeweb": [900.0, 450.0, 800.0],
        "granian-1": [600.0, 300.0, 600.0],
        "granian-2": [700.0, 250.0, 800.0],
    },
    "json": {
        "bare-hyper": [1000.0, 1000.0, 1000.0],
        "slimeweb": [700.0, 700.0, 700.0],
        "granian-1": [10.0, 10.0, 10.0],
    },
}
FAILURES = [{"server": "granian-1", "workload": "json", "reason": "status 500"}]


def document() -> dict[str, Any]:
    titles = {"bare-hyper": "bare hyper", "slimeweb": "slimeweb", "granian-1": "granian, 1", "granian-2": "granian & 2"}
    return {
        "started": "2026-01-01 00:00 UTC",
        "revision": "0123456789ab",
        "machine": {"processor": "abacus", "cores": 2, "memory": 2**30, "system": "Linux 6"},
        "settings": {"rounds": 3, "seconds": 1, "load": "wrk 4, 1 thread, 64 connections"},
        "servers": {
            name: {"title": title, "family": name.removesuffix("-1").removesuffix("-2"), "description": f"{name} 1.0"}
            for name, title in titles.items()
        },
        "workloads": {name: {"title": name.title(), "unit": "requests/s"} for name in RATES},
        "measurements": [
            {"workload": workload, "server": server, "round": number, "rate": rate, "p50": 1, "p99": 2}
            for workload, servers in RATES.items()
            for server, rates in servers.items()
            for number, rate in enumerate(rates)
        ],
        "footprints": {
            "slimeweb": [
                {"start": 0.25, "rss": 40 * 2**20, "pss": 30 * 2**20, "connection": 8000.0, "connections": 10_000},
                {"start": 0.35, "rss": 42 * 2**20, "pss": 32 * 2**20, "connection": 9000.0, "connections": 10_000},
            ],
            "granian-1": [
                {"start": 0.1, "rss": 2**20, "pss": 2**20, "connection": None, "connections": 3},
                {"start": 0.1, "rss": 2**20, "pss": 2**20, "connection": 5000.0, "connections": 10_000},
            ],
        },
        "failures": FAILURES,
        "process": {"python": "3.14.0", "gil": False},
    }


def results() -> Results:
    return Results(document())
