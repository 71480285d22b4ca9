"""How a setting is read, whether it was given as an argument of `serve()` or as the text of a variable."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slimeweb.tls import SlimeTls

__all__ = [
    "Invalid",
    "Reader",
    "flag",
    "grace",
    "keys",
    "mapping",
    "mode",
    "peers",
    "prefix",
    "seconds",
    "text",
    "tls",
    "whole",
]

_PREFIX = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)+")
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
_MOST = 2**63 - 1
_LONGEST = 1_000_000_000
"""In seconds."""


class Invalid(Exception):
    """A value that is not valid; the message says what would be."""


Reader = Callable[[Any], Any]
"""Takes what was given, returns the value to keep; `Invalid` for what will not do."""


def text(value: Any) -> str:
    """Text or a path, as text; not empty."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise Invalid("text that is not empty")
    return os.fspath(value)


def prefix(value: Any) -> str:
    """The beginning of paths, such as `/app`; empty for none."""
    if not isinstance(value, str) or (value and not _PREFIX.fullmatch(value)):
        raise Invalid("a path that starts with a slash and ends without one, percent-encoded, such as '/app'")
    return value


def flag(value: Any) -> bool:
    """`True` or `False`, or one of the usual words for them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    raise Invalid("True or False (as a variable: 1 or 0)")


def whole(lowest: int, highest: int = _MOST, unit: str = "") -> Reader:
    """Reads whole numbers from `lowest` to `highest`; `unit` is what an error calls them, as in ` of bytes`."""
    allowed = f"a whole number{unit}, {lowest} " + ("or more" if highest == _MOST else f"to {highest}")
    too_many = f"a whole number{unit} below 2**63" if highest == _MOST else allowed

    def read(value: Any) -> int:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError as error:
            raise Invalid(allowed) from error
        if isinstance(number, bool) or not isinstance(number, int) or number < lowest:
            raise Invalid(allowed)
        if number > highest:
            raise Invalid(too_many)
        return number

    return read


def mode(value: Any) -> int:
    """Permissions; text is octal, as for chmod."""
    allowed = "permissions in octal, such as 0o660 (as a variable or text: 660)"
    if isinstance(value, str):
        digits = value.strip().removeprefix("0o")
        if not re.fullmatch("[0-7]{3,4}", digits):
            raise Invalid(allowed)
        value = int(digits, 8)
    if isinstance(value, bool) or not isinstance(value, int) or not 0o600 <= value <= 0o777 or value & 0o600 != 0o600:
        # 660 without its 0o is 0o1224.
        raise Invalid(f"{allowed}; whoever owns it has to be able to read and write")
    return value


def seconds(value: Any) -> float:
    """A number of seconds above 0, up to some thirty years."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise Invalid("a number of seconds above 0") from error
    if isinstance(value, bool) or not math.isfinite(number) or number <= 0:
        raise Invalid("a number of seconds above 0")
    if number > _LONGEST:
        raise Invalid(f"a number of seconds up to {_LONGEST}, which is some thirty years")
    return number


def grace(value: Any) -> float:
    """A number of seconds, which may be 0."""
    return 0.0 if value in (0, "0") and not isinstance(value, bool) else seconds(value)


def peers(value: Any) -> tuple[str, ...]:
    """IP addresses, networks, `unix` and `*`: a list, or text with commas between."""
    allowed = (
        "addresses and networks such as ['10.0.0.7', '10.0.0.0/8'], 'unix' or '*' (as a variable: with commas between)"
    )
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, Iterable):
        raise Invalid(allowed)
    peers = tuple(text(entry).strip() for entry in entries if entry != "")
    for peer in peers:
        if peer not in ("unix", "*"):
            try:
                ipaddress.ip_network(peer, strict=False)
            except ValueError as error:
                raise Invalid(allowed) from error
    return peers


def keys(value: Any) -> str | tuple[str, ...]:
    """A key, or a list of them. The error does not repeat any."""
    keys = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise Invalid("text that is not empty, or a list of such, the newest first")
    return value if isinstance(value, str) else keys


def mapping(value: Any) -> Mapping[str, Any]:
    """A dict; what is empty is an empty one."""
    if value and not isinstance(value, Mapping):
        raise Invalid("a dict")
    return value or {}


def tls(value: Any) -> SlimeTls:
    """A certificate with its key."""
    if not isinstance(value, SlimeTls):
        raise Invalid("SlimeTls(cert, key)")
    return value
