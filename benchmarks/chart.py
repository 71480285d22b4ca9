"""Results as a picture for the README: `python -m benchmarks.chart results.json > chart.svg`.

One panel for each workload that is shown, one bar for each server, all to the scale of bare hyper.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.results import Results
from benchmarks.servers import BASE, OURS

__all__ = ["main", "svg"]

SHOWN = ("plaintext", "plaintext-async", "json", "parameters", "stream", "post-1k")
COLUMNS = 2
PANEL_WIDTH, MARGIN = 490, 20
LABEL_WIDTH, VALUE_WIDTH = 190, 62
BAR, GAP, TITLE = 14, 6, 34
OURS_COLOUR, BASE_COLOUR, RIVAL_COLOUR = "#2f9e44", "#868e96", "#a5b4c3"


def svg(results: Results, shown: Sequence[str] = SHOWN) -> str:
    """The chart. Workloads that were not measured are left out; with none left, ValueError."""
    panels = [name for name in shown if name in results.workloads and results.rate(name, OURS.name)]
    if not panels:
        raise ValueError(f"none of {', '.join(shown)} was measured on {OURS.name}: run `make bench` first")
    height = TITLE + len(results.servers) * (BAR + GAP)
    lines = -(-len(panels) // COLUMNS)
    width, total = COLUMNS * PANEL_WIDTH + MARGIN, lines * (height + MARGIN) + MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}"'
        ' role="img" font-family="system-ui, sans-serif" font-size="12">',
        "<title>Requests per second, by framework</title>",
        f'<rect width="{width}" height="{total}" fill="#ffffff"/>',
    ]
    for number, name in enumerate(panels):
        x = MARGIN + number % COLUMNS * PANEL_WIDTH
        y = MARGIN + number // COLUMNS * (height + MARGIN)
        drawn += [f'<g transform="translate({x} {y})">', *_panel(results, name), "</g>"]
    return "\n".join([*drawn, "</svg>", ""])


def _panel(results: Results, workload: str) -> list[str]:
    title = f"{results.workloads[workload]['title']} ({results.workloads[workload]['unit']})"
    drawn = [f'<text y="14" font-size="14" font-weight="600" fill="#212529">{escape(title)}</text>']
    rates = {name: spread.median for name in results.servers if (spread := results.rate(workload, name))}
    most = max(rates.values())
    space = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH - MARGIN
    for row, (name, server) in enumerate(results.servers.items()):
        y = TITLE + row * (BAR + GAP)
        baseline = y + BAR - 3
        weight = ' font-weight="600"' if name == OURS.name else ""
        drawn.append(
            f'<text x="{LABEL_WIDTH - 8}" y="{baseline}" text-anchor="end" fill="#343a40"{weight}>'
            f"{escape(server['title'])}</text>"
        )
        rate = rates.get(name)
        if rate is None:
            drawn.append(f'<text x="{LABEL_WIDTH}" y="{baseline}" fill="#868e96">not measured</text>')
            continue
        length = max(1.0, rate / most * space)
        colour = {OURS.family: OURS_COLOUR, BASE.family: BASE_COLOUR}.get(server["family"], RIVAL_COLOUR)
        drawn += [
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LABEL_WIDTH + length + 6:.1f}" y="{baseline}" fill="#343a40">{rate:,.0f}</text>',
        ]
    return drawn


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the chart of a JSON file."""
    [path] = sys.argv[1:] if arguments is None else arguments
    print(svg(Results(json.loads(Path(path).read_text("utf-8")))), end="")


if __name__ == "__main__":
    main()
