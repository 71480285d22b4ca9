"""Whether a requirement on a distribution admits a version (PEP 440, PEP 508)."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["refused_by"]

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;@()]*)\)?\s*")
_CLAUSE = re.compile(r"\s*(~=|===|==|!=|<=|>=|<|>)\s*(\S+?)\s*")
_VERSION = re.compile(
    r"v?(\d+(?:\.\d+)*)"
    r"(?:[-_.]?(alpha|beta|preview|pre|rc|a|b|c)[-_.]?(\d*))?"
    r"(?:-(\d+)|[-_.]?(?:post|rev|r)[-_.]?(\d*))?"
    r"(?:[-_.]?(dev)[-_.]?(\d*))?"
    r"(?:\+[a-z0-9._-]+)?"
)
_PHASES = {"alpha": 0, "a": 0, "beta": 1, "b": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}

Key = tuple[tuple[int, ...], tuple[int, ...], int, float]
"""Orders versions: release, phase before the release, number after it, development number."""


@lru_cache(maxsize=64)
def refused_by(requirement: str, distribution: str, version: str) -> str | None:
    """The specifiers of a line of `Requires-Dist`, where they are about that distribution and do not admit its version.

    `None` as well for what is not looked into: requirements with a marker or an address, versions with an epoch.
    """
    parsed, running = _REQUIREMENT.fullmatch(requirement), _key(version)
    if parsed is None or running is None or _plain(parsed[1]) != _plain(distribution):
        return None
    specifiers = parsed[2].strip()
    for each in filter(str.strip, specifiers.split(",")):
        clause = _CLAUSE.fullmatch(each)
        if clause is not None and not _admits(clause[1], clause[2].lower(), version, running):
            return specifiers
    return None


def _admits(operator: str, text: str, version: str, running: Key) -> bool:
    """Whether a clause admits a version; true for a clause that makes no sense."""
    if operator == "===":
        return text == version.lower()
    release = running[0]
    prefix, bound = text.removesuffix(".*"), _key(text.removesuffix(".*"))
    if bound is None:
        return True
    if prefix != text:
        same = _padded(release, len(_release(prefix))) == _release(prefix)
        return same if operator == "==" else not same
    match operator:
        case "==":
            return running == bound
        case "!=":
            return running != bound
        case "<=":
            return running <= bound
        case ">=":
            return running >= bound
        case "~=":
            series = _release(text)[:-1]
            return running >= bound and _padded(release, len(series)) == series
        case "<":
            # Not what comes before that very release, either.
            return running < bound and not (_is_early(running) and _is_release(bound) and release == bound[0])
        case _:
            # Not what comes after that very version, either.
            return running > bound and not (running[2] >= 0 > bound[2] and running[:2] == bound[:2])


def _key(version: str) -> Key | None:
    parsed = _VERSION.fullmatch(version.strip().lower())
    if parsed is None:
        return None
    _, phase, number, dash, post, dev, dev_number = parsed.groups()
    release = _release(version)
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    after = int(dash or post or 0) if dash is not None or post is not None else -1
    if phase is not None:
        before: tuple[int, ...] = (1, _PHASES[phase], int(number or 0))
    else:
        before = (0,) if dev is not None and after < 0 else (2,)
    return release, before, after, float("inf") if dev is None else int(dev_number or 0)


def _release(version: str) -> tuple[int, ...]:
    parsed = re.match(r"v?(\d+(?:\.\d+)*)", version.strip().lower())
    return tuple(map(int, parsed[1].split("."))) if parsed is not None else ()


def _padded(release: tuple[int, ...], length: int) -> tuple[int, ...]:
    return (*release, *(0,) * length)[:length]


def _is_early(key: Key) -> bool:
    return key[1] != (2,) or key[3] != float("inf")


def _is_release(key: Key) -> bool:
    return not _is_early(key) and key[2] < 0


def _plain(name: str) -> str:
    """The name as distributions are compared by (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
