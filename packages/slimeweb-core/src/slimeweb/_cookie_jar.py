"""The cookies that a client keeps (RFC 6265, section 5), for `slimeweb.testing`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from http.cookies import CookieError, SimpleCookie

from slimeweb._cookies import broken_prefix_rule, is_only_secure, split_set_cookie

__all__ = ["CookieJar", "SetCookie"]


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One Set-Cookie header. `value` is as it was sent; `attributes` are by lower-case name."""

    name: str
    value: str
    attributes: dict[str, str]

    @classmethod
    def parse(cls, header: str) -> SetCookie | None:
        """What a header says, `None` for one without a name (RFC 6265, section 5.2)."""
        pair, attributes = split_set_cookie(header)
        name, found, value = (part.strip() for part in pair.partition("="))
        if not found or not name:
            return None
        return cls(name, value, attributes)

    @property
    def plain_value(self) -> str:
        """The value without its quotes and escapes."""
        try:
            morsel = SimpleCookie(f"{self.name}={self.value}").get(self.name)
        except CookieError:
            return self.value
        return self.value if morsel is None else morsel.value

    def expires(self, now: float) -> float | None:
        """When it ends, in seconds since the epoch; `None` for one that does not. Max-Age counts before Expires."""
        age = self.attributes.get("max-age", "")
        if re.fullmatch(r"-?[0-9]+", age):
            seconds = int(age)
            # However large or small the number is, it has to become a time.
            return now + min(seconds, 10**10) if seconds > 0 else 0.0
        date = parsedate_tz(self.attributes.get("expires", ""))
        if date is None:
            return None
        try:
            return float(mktime_tz(date))
        except (OverflowError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class _Kept:
    """One cookie of the jar. `domain` is empty for one that goes to every host, as those that a test sets do."""

    value: str
    expires: float | None = None
    secure: bool = False
    host_only: bool = False


class CookieJar(MutableMapping[str, str]):
    """Cookies by name, each for the host and the path that it was set for. Not to be used by several threads at once.

    What is assigned, `jar["name"] = "value"`, goes with every request. Where several cookies have one name, that of
    the longest path is shown.
    """

    def __init__(self, cookies: Iterable[tuple[str, str]] = ()) -> None:
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        for name, value in cookies:
            self[name] = value

    def receive(self, header: str, host: str, path: str) -> None:
        """Takes a Set-Cookie header of the answer to a request for a path of a host. One that has ended already
        deletes the cookie of its name, host and path.
        """
        cookie = SetCookie.parse(header)
        if cookie is None:
            return
        domain = cookie.attributes.get("domain", "").lstrip(".").lower()
        if domain and not _is_within(host, domain):
            # Another site's: browsers refuse it too.
            return
        if not _is_taken(cookie):
            return
        where = cookie.attributes.get("path", "")
        if not where.startswith("/"):
            where = path.rpartition("/")[0] or "/"
        now = time.time()
        expires = cookie.expires(now)
        key = (cookie.name, domain or host, where)
        # A cookie that the test itself has set gives way to the server's.
        self._kept.pop((cookie.name, "", "/"), None)
        if expires is not None and expires <= now:
            self._kept.pop(key, None)
        else:
            self._kept[key] = _Kept(cookie.value, expires, "secure" in cookie.attributes, host_only=not domain)

    def header(self, host: str, path: str, *, trusted: bool) -> str:
        """The Cookie header of a request, longer paths first; empty without cookies. `trusted` is for a connection
        that cookies with `Secure` may use.
        """
        now = time.time()
        found = [
            (name, where, kept.value)
            for (name, domain, where), kept in self._kept.items()
            if (not domain or host == domain or (not kept.host_only and _is_within(host, domain)))
            and _is_below(path, where)
            and (trusted or not kept.secure)
            and (kept.expires is None or kept.expires > now)
        ]
        found.sort(key=lambda each: -len(each[1]))
        return "; ".join(f"{name}={value}" for name, _, value in found)

    def __getitem__(self, name: str) -> str:
        return self._shown()[name]

    def __setitem__(self, name: str, value: str) -> None:
        for text in (name, value):
            if not isinstance(text, str) or re.search(r"[\x00-\x1f\x7f;]", text):
                raise ValueError(f"{name!r}={value!r} is no cookie: give text without ';' and control characters")
        self._forget(name)
        self._kept[name, "", "/"] = _Kept(value)

    def __delitem__(self, name: str) -> None:
        if not self._forget(name):
            raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown())

    def __len__(self) -> int:
        return len(self._shown())

    def __repr__(self) -> str:
        return f"CookieJar({self._shown()!r})"

    def _shown(self) -> dict[str, str]:
        now = time.time()
        return {
            name: kept.value
            for (name, _, _), kept in sorted(self._kept.items(), key=lambda each: len(each[0][2]))
            if kept.expires is None or kept.expires > now
        }

    def _forget(self, name: str) -> bool:
        keys = [key for key in self._kept if key[0] == name]
        for key in keys:
            del self._kept[key]
        return bool(keys)


def _is_taken(cookie: SetCookie) -> bool:
    """Whether browsers would keep it (RFC 6265bis, section 5.7), whoever it is from."""
    attributes = cookie.attributes
    secure = "secure" in attributes
    if not secure and is_only_secure(cookie.name, attributes.get("samesite"), "partitioned" in attributes):
        return False
    broken = broken_prefix_rule(
        cookie.name,
        secure=secure,
        http_only="httponly" in attributes,
        path=attributes.get("path"),
        domain=attributes.get("domain") or None,
    )
    return broken is None


def _is_within(host: str, domain: str) -> bool:
    """RFC 6265, section 5.1.3. An address has no subdomains."""
    return host == domain or (host.endswith(f".{domain}") and not re.fullmatch(r"[0-9.]+|.*:.*", host))


def _is_below(path: str, where: str) -> bool:
    """RFC 6265, section 5.1.4."""
    return path == where or (path.startswith(where) and (where.endswith("/") or path[len(where)] == "/"))
