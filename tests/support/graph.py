"""Graphs of modules that use each other."""

from __future__ import annotations

from collections.abc import Mapping

Graph = Mapping[str, set[str]]


def way(graph: Graph, start: str, end: str) -> list[str] | None:
    """The shortest chain of imports from one module to another, both included; `None` where there is none."""
    chains = [[start]]
    seen = {start}
    while chains:
        chain = chains.pop(0)
        for following in sorted(graph[chain[-1]]):
            if following == end:
                return [*chain, end]
            if following not in seen:
                seen.add(following)
                chains.append([*chain, following])
    return None


def cycle(graph: Graph) -> list[str] | None:
    """A shortest chain that leads from a module back to itself."""
    found = [chain for name in graph if (chain := way(graph, name, name))]
    return min(found, key=len, default=None)
