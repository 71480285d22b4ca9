"""What a mistyped name was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["closest", "suggestion"]


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The name among `known` that is most like `name`; `None` where none is alike enough.

    Case, underscores and hyphens do not count. `cutoff` is how alike two names have to be, from 0 to 1 (see
    `difflib.SequenceMatcher.ratio`). The default is for advice about a name that is wrong anyway; where likeness alone
    decides that a name is a mistake, give 0.75 or more.

        >>> closest("samesite", ["same_site", "secure"])
        'same_site'
    """
    plain = {_plain(each): each for each in known}
    found = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=cutoff)
    return plain[found[0]] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of an error message about a name that is not among `known`: the closest of them, else all.

    >>> suggestion("prot", ["host", "port"])
    "did you mean 'port'?"
    >>> suggestion("x", ["host", "port"])
    'there are host, port'
    """
    names = list(known)
    meant = closest(name, names)
    return f"there are {', '.join(names)}" if meant is None else f"did you mean {meant!r}?"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
