"""What a second worker is worth: a handler that computes for about 200 µs, on one worker and on two, in turns.

`make scaling` uses what the last `make bench` or `make bench-quick` has built.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.environments import BuildFailed, Environments, build
from benchmarks.load import LoadFailed, http_load
from benchmarks.processes import Process, ServerFailed, free_port
from benchmarks.servers import OURS
from benchmarks.workloads import APPS, Request

__all__ = ["main"]

COMPUTE = Request("/compute")
ROUNDS = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. How fast depends on the machine: the code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds ({ROUNDS})")
    parser.add_argument("--uv", default="uv", help="the program uv")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "slimeweb", help="for environments")
    options = parser.parse_args(arguments)
    try:
        rates = _measure(build(options.cache, options.uv, ["slimeweb"], fresh=False), options.rounds)
    except (BuildFailed, LoadFailed, ServerFailed, OSError) as error:
        print(f"benchmarks.scaling: {error}", file=sys.stderr)
        return 2
    ratios = [two / one for one, two in rates]
    one, two = (median(each) for each in zip(*rates, strict=True))
    print(f"{COMPUTE.path}: {one:,.0f} requests/s with one worker ({1e6 / one:.0f} µs each), {two:,.0f} with two")
    print(f"ratio: {median(ratios):.2f} [{min(ratios):.2f}..{max(ratios):.2f}] in {len(ratios)} rounds")
    return 0


def _measure(environments: Environments, rounds: int) -> list[tuple[float, float]]:
    """Requests per second with one worker and with two, for each round."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = []
        for workers in (1, 2):
            port = free_port()
            env = replace(OURS, workers=workers).env(port)
            log = folder / f"{workers}.log"
            process = Process(OURS.command(environments, port), port, log, cwd=APPS, env=env)
            stack.callback(process.stop)
            process.wait_ready()
            ports.append(port)
        for port in ports:
            http_load(COMPUTE, port, 1)
        rates = []
        for number in range(rounds):
            # Who is first alternates, for what else the machine does.
            order = ports if number % 2 else ports[::-1]
            rate = {port: http_load(COMPUTE, port, 1).rate for port in order}
            rates.append((rate[ports[0]], rate[ports[1]]))
        return rates


if __name__ == "__main__":
    sys.exit(main())
