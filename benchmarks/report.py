"""Results as text: `python -m benchmarks.report results.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Results, Spread
from benchmarks.servers import BASE, OURS
from benchmarks.targets import target

__all__ = ["main", "markdown"]

MEBIBYTE = 1024 * 1024


def markdown(results: Results) -> str:
    """All tables, and what they stand on."""
    sections = [
        _conditions(results),
        "## Answers per second\n\nMedian of the rounds; in parentheses the ratio to bare hyper.\n\n" + _rates(results),
        "## slimeweb against\n\n"
        "Median, lowest and highest ratio within a round; the better of a rival's modes. ✓ the target is met, ✗ it is"
        " not.\n\n" + _against(results),
    ]
    if results.document["footprints"]:
        sections.append(
            "## At rest\n\n"
            "Time to the first answer, resident memory after it, and what each of many idle connections adds.\n\n"
            + _footprints(results)
        )
    if failures := _failures(results):
        sections.append("## Not measured\n\n" + failures)
    return "\n\n".join(sections) + "\n"


def _conditions(results: Results) -> str:
    document = results.document
    machine, settings = document["machine"], document["settings"]
    lines = [
        f"# {document['started']}, {document['revision']}",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory'] // MEBIBYTE:,} MiB, {machine['system']}."
        f" {settings['load']}; {settings['rounds']} rounds of {settings['seconds']} s.",
        "",
        *(f"- {each['title']}: {each['description']}" for each in results.servers.values()),
    ]
    if "gil" in (document["process"] or {}):
        state = "with" if document["process"]["gil"] else "without"
        lines += ["", f"After all that, slimeweb's process ran {state} the GIL."]
    return "\n".join(lines)


def _rates(results: Results) -> str:
    rows = []
    for name, workload in results.workloads.items():
        cells = []
        for server in results.servers:
            rate = results.rate(name, server)
            ratio = results.ratio(name, server, BASE.name)
            cells.append("-" if rate is None else f"{rate.median:,.0f}" + (f" ({ratio.median:.2f})" if ratio else ""))
        rows.append([f"{workload['title']} ({workload['unit']})", *cells])
    return _table(["workload", *(each["title"] for each in results.servers.values())], rows)


def _against(results: Results) -> str:
    families = list(dict.fromkeys(each["family"] for each in results.servers.values() if each["family"] != OURS.family))
    rows = [
        [workload["title"], *(_comparison(results, name, family) for family in families)]
        for name, workload in results.workloads.items()
    ]
    return _table(["workload", *families], rows)


def _comparison(results: Results, workload: str, family: str) -> str:
    ratio = results.against(workload, OURS.name, family)
    least = target(workload, family)
    wanted = "" if least is None else f" of {least:.2f}"
    if ratio is None:
        return f"-{wanted}"
    mark = "" if least is None else (" ✓" if ratio.spread.median >= least else " ✗")
    return f"{ratio.spread.median:.2f} [{ratio.spread.low:.2f}..{ratio.spread.high:.2f}]{wanted}{mark}"


def _footprints(results: Results) -> str:
    def cell(spread: Spread | None, scale: float, form: str) -> str:
        return "-" if spread is None else format(spread.median / scale, form)

    rows = [
        [
            server["title"],
            cell(results.footprint(name, "start"), 0.001, ",.0f"),
            cell(results.footprint(name, "rss"), MEBIBYTE, ",.1f"),
            cell(results.footprint(name, "pss"), MEBIBYTE, ",.1f"),
            cell(results.footprint(name, "connection"), 1, ",.0f"),
            cell(results.footprint(name, "connections"), 1, ",.0f"),
        ]
        for name, server in results.servers.items()
    ]
    head = ["server", "start (ms)", "RSS (MiB)", "PSS (MiB)", "bytes per idle connection", "connections held"]
    return _table(head, rows)


def _failures(results: Results) -> str:
    lines = []
    for failure in results.document["failures"]:
        server = results.servers[failure["server"]]["title"]
        workload = results.workloads.get(failure["workload"] or "", {}).get("title", "every workload")
        lines.append(f"- {server}, {workload}: {failure['reason']}")
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up as plain text too: the first to the left, figures to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        figures = (text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        return f"| {' | '.join([row[0].ljust(widths[0]), *figures])} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), f"| {' | '.join(rule)} |", *map(line, rows)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the report of a JSON file."""
    [path] = sys.argv[1:] if arguments is None else arguments
    print(markdown(Results(json.loads(Path(path).read_text("utf-8")))), end="")


if __name__ == "__main__":
    main()
