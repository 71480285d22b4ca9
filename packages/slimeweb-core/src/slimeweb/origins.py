"""Origins of web pages (RFC 6454), as an application names them and as browsers send them."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Origins"]

_ORIGIN = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<wildcard>\*\.)?(?P<host>[^\s/:@?#*\[\]\\%,]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """A set of origins. Each is scheme, host and port, without a path; capitals and default ports do not matter, and
    `https://*.example.com` stands for every host below example.com. `"null"` is what browsers send for pages without an
    origin. `patterns` are regular expressions for further ones, which have to match all of an origin.

    `ValueError`, which begins with `role` and ends with `advice`, for what is no origin.
    """

    __slots__ = ("_exact", "_patterns")

    def __init__(
        self, role: str, origins: Iterable[str], patterns: Iterable[re.Pattern[str]] = (), advice: str = ""
    ) -> None:
        exact, found = set(), [*patterns]
        for origin in origins:
            if origin == "null":
                exact.add(origin)
                continue
            normal, is_wildcard = _normal(role, origin, advice)
            if is_wildcard:
                scheme, _, host = normal.partition("://")
                found.append(re.compile(f"{re.escape(scheme)}://(?:[a-z0-9_-]+\\.)+{re.escape(host)}"))
            else:
                exact.add(normal)
        self._exact = frozenset(exact)
        self._patterns = tuple(found)

    def __contains__(self, origin: object) -> bool:
        """Whether an origin, as a client sends it, is one of them."""
        return isinstance(origin, str) and (self._has(origin) or self._has(_without_default_port(origin)))

    def _has(self, origin: str) -> bool:
        return origin in self._exact or any(pattern.fullmatch(origin) for pattern in self._patterns)


def _without_default_port(origin: str) -> str:
    """An origin as browsers send it, where another client has sent it in another way."""
    scheme, separator, rest = origin.lower().partition("://")
    return f"{scheme}{separator}{rest.removesuffix(f':{_DEFAULT_PORTS.get(scheme)}')}"


def _normal(role: str, origin: str, advice: str) -> tuple[str, bool]:
    """An origin as browsers send it (RFC 6454, section 6.2), without its wildcard, and whether it had one."""
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        raise ValueError(
            f"{role}: {origin!r} is not an origin: give scheme, host and port alone, like 'https://example.com', or "
            f"'https://*.example.com' for every host below one{advice}"
        )
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError as error:
            raise ValueError(f"{role}: {origin!r} has a host that cannot be: {error}") from error
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port <= 65535:
        raise ValueError(f"{role}: {origin!r} has a port that cannot be: ports are 1 to 65535")
    suffix = "" if port is None or port == _DEFAULT_PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{host}{suffix}", match["wildcard"] is not None
