"""Cookies as they travel: formatting and parsing (RFC 6265 and its successor draft, 6265bis)."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from slimeweb._fields import CookieFields
from slimeweb.tokens import TOKEN

__all__ = [
    "Expires",
    "broken_prefix_rule",
    "cookie_identity",
    "format_cookie",
    "format_deletion",
    "is_only_secure",
    "parse_cookies",
    "split_set_cookie",
]

Expires = datetime | date | timedelta | float | str
"""A moment (naive means UTC), a day (its first moment), a time from now, seconds since the epoch, or an HTTP date (RFC
9110, section 5.6.7)."""

_OCTETS = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
# A space or a comma survives between double quotes; nothing makes the rest safe.
_QUOTABLE = re.compile(r"[\x20\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*")
_ATTRIBUTE = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_SAME_SITE = {"lax": "Lax", "strict": "Strict", "none": "None"}
# How http.cookies and others write what cannot stand in a cookie: an octal code, or the character behind a backslash.
_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
_PREFIXES = ("__host-http-", "__host-", "__http-", "__secure-")
_HOST = re.compile(r"\.?[0-9A-Za-z_](?:[0-9A-Za-z_.-]*[0-9A-Za-z_])?|[0-9A-Fa-f:.]+")
_MOST = 4096
"""Bytes that a cookie may have with its name and attributes: what every client has to keep (RFC 6265, section 6.1)."""


def format_cookie(
    key: str,
    value: str,
    *,
    path: str | None = "/",
    domain: str | None = None,
    max_age: float | timedelta | None = None,
    expires: Expires | None = None,
    secure: bool = False,
    http_only: bool = True,
    same_site: str | None = "Lax",
    partitioned: bool = False,
) -> str:
    """The value of a Set-Cookie header. `ValueError` for what would break the header or what browsers would drop.

    `max_age` is in seconds, or a timedelta; `expires` is a datetime (naive means UTC), a timedelta from now, seconds
    since the epoch, or an HTTP date as text. `partitioned` keeps a cookie of embedded content apart for each site that
    embeds it. A name that begins with `__Secure-` needs `secure=True`, one with `__Host-` also `path="/"` and no
    `domain` (RFC 6265bis, section 4.1.3), `__Http-` and `__Host-Http-` also `http_only=True`. Name, value and
    attributes have at most 4096 bytes together.
    """
    _check_types(key, value, path=path, domain=domain, same_site=same_site)
    for name, flag in (("secure", secure), ("http_only", http_only), ("partitioned", partitioned)):
        if not isinstance(flag, int):
            raise TypeError(f"cookie {key!r}: {name}={flag!r}: give True or False")
    if not TOKEN.fullmatch(key):
        raise ValueError(f"{key!r} is not a cookie name: use letters, digits and !#$%&'*+-.^_`|~")
    broken = broken_prefix_rule(key, path=path, domain=domain, secure=bool(secure), http_only=bool(http_only))
    if broken is not None:
        prefix = key[: len(_prefix(key))]
        raise ValueError(f"cookie {key!r}: browsers drop a name that begins with {prefix!r} {broken}")
    parts = [f"{key}={_quoted(key, value)}"]
    if path is not None:
        _check_path(key, path)
        parts.append(f"Path={path}")
    if domain is not None:
        _check_domain(key, domain)
        parts.append(f"Domain={domain}")
    if max_age is not None:
        parts.append(f"Max-Age={_seconds(key, max_age)}")
    if expires is not None:
        parts.append(f"Expires={_date(key, expires)}")
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    if same_site is not None:
        rule = _SAME_SITE.get(same_site.lower())
        if rule is None:
            raise ValueError(f"cookie {key!r}: same_site={same_site!r}: use 'Lax', 'Strict', 'None' or None")
        if rule == "None" and not secure:
            raise ValueError(f"cookie {key!r}: browsers drop same_site='None' without secure=True")
        parts.append(f"SameSite={rule}")
    if partitioned:
        if not secure:
            raise ValueError(f"cookie {key!r}: browsers drop partitioned=True without secure=True")
        parts.append("Partitioned")
    line = "; ".join(parts)
    # What passed the checks above is ASCII, but for a path.
    size = len(line.encode())
    if size > _MOST:
        raise ValueError(
            f"cookie {key!r} has {size} bytes with its attributes, and browsers drop what has more than {_MOST}: keep "
            "the data on the server, and a key to it in the cookie"
        )
    return line


def format_deletion(
    key: str,
    *,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    http_only: bool = True,
    same_site: str | None = "Lax",
    partitioned: bool = False,
) -> str:
    """The value of a Set-Cookie header that makes browsers forget a cookie: the one that was set with this `path`,
    `domain` and `partitioned`. `secure` is implied where the cookie cannot have been set without it.
    """
    _check_types(key, "")
    needs_secure = is_only_secure(key, same_site, partitioned)
    return format_cookie(
        key,
        "",
        path=path,
        domain=domain,
        max_age=0,
        expires=0,
        secure=secure or needs_secure,
        http_only=http_only,
        same_site=same_site,
        partitioned=partitioned,
    )


def cookie_identity(line: str) -> tuple[str, str, str, bool]:
    """What makes the cookie of a Set-Cookie header another than the rest: name, domain, path, and whether it is
    partitioned. Browsers keep one cookie for each.
    """
    pair, found = split_set_cookie(line)
    domain = found.get("domain", "").lower().removeprefix(".")
    return pair.partition("=")[0].strip(), domain, found.get("path", ""), "partitioned" in found


def split_set_cookie(line: str) -> tuple[str, dict[str, str]]:
    """A Set-Cookie header's `name=value`, and its attributes by lower-case name; of one that comes twice the last
    counts (RFC 6265, section 5.2). Quotes mean nothing there: a `;` between them ends what it stands in.
    """
    pair, *attributes = line.split(";")
    split = (attribute.partition("=") for attribute in attributes)
    return pair, {name.strip().lower(): value.strip() for name, _, value in split}


def broken_prefix_rule(name: str, *, secure: bool, http_only: bool, path: str | None, domain: str | None) -> str | None:
    """Why browsers drop a cookie whose name begins with `__Secure-`, `__Host-`, `__Http-` or `__Host-Http-` (RFC
    6265bis, section 4.1.3): the end of a sentence, with the arguments of `set_cookie`; `None` where they keep it.
    """
    prefix = _prefix(name)
    if not prefix:
        return None
    if not secure:
        return "without secure=True"
    if not http_only and prefix in ("__http-", "__host-http-"):
        return "without http_only=True"
    if prefix in ("__host-", "__host-http-"):
        if path != "/":
            return f"unless its path is '/', not {path!r}"
        if domain is not None:
            return f"where it has a domain: leave out domain={domain!r}"
    return None


def is_only_secure(name: str, same_site: str | None, partitioned: bool) -> bool:
    """Whether browsers keep such a cookie with `Secure` alone."""
    return bool(_prefix(name)) or partitioned or (same_site or "").lower() == "none"


def _prefix(name: str) -> str:
    """The prefix that a name has, in lower case; empty for none."""
    lower = name.lower()
    return next((each for each in _PREFIXES if lower.startswith(each)), "")


def _check_types(key: object, value: object, **texts: object) -> None:
    if not isinstance(key, str):
        raise TypeError(f"a cookie's name is text, not {key!r}")
    if not isinstance(value, str):
        example = repr(value.decode(errors="replace")) if isinstance(value, bytes) else repr(str(value))
        raise TypeError(f"cookie {key!r}: the value is {_short(value)}, not text: give {_short(example, quote=False)}")
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise TypeError(f"cookie {key!r}: {name}={text!r} is not text")


def _short(value: object, *, quote: bool = True) -> str:
    text = repr(value) if quote else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _check_path(key: str, path: str) -> None:
    if not path.startswith("/"):
        raise ValueError(f"cookie {key!r}: path={path!r}: browsers ignore a path that does not begin with '/'")
    if not _ATTRIBUTE.fullmatch(path):
        raise ValueError(
            f"cookie {key!r}: path={path!r} holds a ';', a control character or one outside ASCII: give it as it is in "
            "addresses, percent-encoded"
        )


def _check_domain(key: str, domain: str) -> None:
    if not _HOST.fullmatch(domain):
        advice = "in its ASCII form, such as 'xn--mnchen-3ya.de'" if not domain.isascii() else "such as 'example.com'"
        raise ValueError(
            f"cookie {key!r}: domain={domain!r} is not the name of a host: give one {advice}, or leave domain out"
        )


def _seconds(key: str, age: Any) -> int:
    """Whole seconds. A part of one counts as one: rounded down it would delete the cookie."""
    seconds = age.total_seconds() if isinstance(age, timedelta) else age
    try:
        if isinstance(seconds, bool):
            raise TypeError
        return math.ceil(float(seconds))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"cookie {key!r}: max_age={age!r}: give a number of seconds, or a timedelta") from error


def _quoted(key: str, value: str) -> str:
    if _OCTETS.fullmatch(value):
        return value
    if _QUOTABLE.fullmatch(value):
        return f'"{value}"'
    raise ValueError(
        f'cookie {key!r}: the value {_short(value)} holds what a cookie cannot carry (a control character, ", ;, \\ or '
        "one outside ASCII): encode it, for example with urllib.parse.quote, or use set_sign_cookie, which does"
    )


def _date(key: str, moment: Any) -> str:
    if isinstance(moment, str):
        try:
            moment = parsedate_to_datetime(moment)
        except ValueError as error:
            raise ValueError(
                f"cookie {key!r}: expires={moment!r} is no date: use 'Wed, 02 Jan 2030 01:04:05 GMT' or a datetime"
            ) from error
    try:
        if isinstance(moment, timedelta):
            moment = datetime.now(UTC) + moment
        elif isinstance(moment, date) and not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        elif isinstance(moment, bool):
            raise TypeError
        elif not isinstance(moment, datetime):
            moment = datetime.fromtimestamp(moment, UTC)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return format_datetime(moment.astimezone(UTC), usegmt=True)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"cookie {key!r}: expires={moment!r} is no moment: give a datetime, a timedelta from now, seconds since "
            "the epoch, or a date as text, until the year 9999"
        ) from error


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a Cookie header. Of several with one name the first counts: browsers send the most specific path
    first. Quoted values are read as `http.cookies` reads them; a pair without a name is a cookie whose name is empty,
    as browsers have it (RFC 6265bis, section 5.7). What is beyond ASCII is UTF-8, as scripts in a browser write it, or
    Latin-1, which header fields are read in, where it cannot be UTF-8.
    """
    cookies = CookieFields()
    for pair in header.split(";"):
        if not pair.isascii():
            with contextlib.suppress(UnicodeError):
                pair = pair.encode("latin-1").decode()
        name, found, value = pair.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not found:
            name, value = "", name
        if not name and not value:
            continue
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = _ESCAPE.sub(_unescaped, value[1:-1]) if "\\" in value else value[1:-1]
        cookies.setdefault(name, value)
    return cookies


def _unescaped(match: re.Match[str]) -> str:
    octal, letter = match.groups()
    return chr(int(octal, 8)) if octal else str(letter)
