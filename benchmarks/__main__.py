"""Runs the benchmark. `make bench` takes about 15 minutes, `make bench-quick` about two."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import chart, conditions, report
from benchmarks.environments import BuildFailed, build
from benchmarks.footprint import raise_file_limit
from benchmarks.load import CONNECTIONS
from benchmarks.results import Results
from benchmarks.rounds import Bench
from benchmarks.servers import OURS, SERVERS, Server, server
from benchmarks.workloads import WORKLOADS, Workload, workload

RESULTS = Path(__file__).parent / "results"
QUICK_SERVERS = ("bare-hyper", "slimeweb", "granian-1", "granian-2")
QUICK_WORKLOADS = ("plaintext", "plaintext-async", "sleep", "json", "parameters", "stream", "post-1k")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code. Slow is no failure: the code is 1 only where slimeweb has no figures."""
    options = _parser().parse_args(arguments)
    try:
        servers, workloads = _chosen(options)
        raise_file_limit()
        needed = [each.environment for each in servers if each.environment]
        environments = build(options.cache, options.uv, needed, fresh=not options.as_built)
    except (ValueError, OSError, BuildFailed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    folder: Path = options.output or RESULTS / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    bench = Bench(environments, servers, workloads, folder.resolve() / "logs")
    process = _run(bench, options)
    if options.check:
        print(f"{len(servers)} servers, {len(workloads)} workloads, {len(bench.failures)} wrong answers")
        return 1 if bench.failures else 0
    document: dict[str, Any] = {
        "started": started,
        "revision": conditions.revision(),
        "machine": conditions.machine(),
        "settings": {
            "rounds": options.rounds,
            "seconds": options.seconds,
            "load": f"{conditions.wrk_version()}, 1 thread, {CONNECTIONS} connections",
        },
        "servers": {each.name: conditions.description(each, environments) for each in servers},
        "workloads": {each.name: {"title": each.title, "unit": each.unit} for each in workloads},
        "process": process,
        **bench.as_json(),
    }
    _write(folder, document)
    return 1 if any(failure.server == OURS.name for failure in bench.failures) else 0


def _run(bench: Bench, options: argparse.Namespace) -> dict[str, Any] | None:
    """Everything that is timed; returns what slimeweb's process says of itself afterwards."""
    process = None
    try:
        bench.start()
        bench.verify()
        if not options.check:
            bench.measure(options.rounds, options.seconds)
        if (port := bench.port(OURS)) is not None:
            process = conditions.about_process(port)
    finally:
        bench.stop()
    if not options.check:
        bench.measure_footprints(options.footprints)
    return process


def _write(folder: Path, document: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    results = Results(document)
    text = report.markdown(results)
    (folder / "report.md").write_text(text, "utf-8")
    try:
        (folder / "chart.svg").write_text(chart.svg(results), "utf-8")
    except ValueError as error:
        print(f"no chart: {error}", file=sys.stderr)
    print(text)
    print(f"written to {os.path.relpath(folder)}: results.json, report.md, chart.svg, logs/", file=sys.stderr)


def _chosen(options: argparse.Namespace) -> tuple[list[Server], list[Workload]]:
    names = options.server or (QUICK_SERVERS if options.quick else [each.name for each in SERVERS])
    tasks = options.workload or (QUICK_WORKLOADS if options.quick else [each.name for each in WORKLOADS])
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.footprints = (0 if options.quick else 2) if options.footprints is None else options.footprints
    return [server(name) for name in names], [workload(name) for name in tasks]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer servers, workloads and rounds")
    parser.add_argument("--check", action="store_true", help="only start the servers and check their answers")
    parser.add_argument("--as-built", action="store_true", help="use the programs and environments of the last run")
    parser.add_argument("--rounds", type=int, help="rounds (5; quick: 3)")
    parser.add_argument("--seconds", type=int, default=1, help="seconds per run, whole ones (1)")
    parser.add_argument("--footprints", type=int, metavar="ROUNDS", help="rounds of start-up and memory (2; quick: 0)")
    parser.add_argument("--server", action="append", metavar="NAME", help=", ".join(each.name for each in SERVERS))
    parser.add_argument("--workload", action="append", metavar="NAME", help=", ".join(each.name for each in WORKLOADS))
    parser.add_argument("--output", type=Path, help="where the results go (benchmarks/results/TIME)")
    parser.add_argument("--uv", default="uv", help="the program uv")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slimeweb"
    parser.add_argument("--cache", type=Path, default=cache, help=f"where environments are kept ({cache})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
