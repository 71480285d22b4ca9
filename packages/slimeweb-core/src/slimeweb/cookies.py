"""Cookies as they travel: formatting, parsing and signing (RFC 6265 and its successor draft, 6265bis)."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256

__all__ = ["format_cookie", "parse_cookies", "sign", "unsign"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OCTETS = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
# A space or a comma survives between double quotes; nothing makes the rest safe.
_QUOTABLE = re.compile(r"[\x20\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*")
_ATTRIBUTE = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_SAME_SITE = {"lax": "Lax", "strict": "Strict", "none": "None"}
_SIGNATURE_CONTEXT = b"slimeweb cookie 1"


def format_cookie(
    key: str,
    value: str,
    *,
    path: str | None = "/",
    domain: str | None = None,
    max_age: int | None = None,
    expires: datetime | float | None = None,
    secure: bool = False,
    http_only: bool = True,
    same_site: str | None = "Lax",
) -> str:
    """The value of a Set-Cookie header. `ValueError` for what would break the header or what browsers would drop.

    `max_age` is in seconds; `expires` is a datetime (naive means UTC) or seconds since the epoch.
    """
    if not _TOKEN.fullmatch(key):
        raise ValueError(f"{key!r} is not a cookie name: use letters, digits and !#$%&'*+-.^_`|~")
    parts = [f"{key}={_quoted(key, value)}"]
    for name, text in (("Path", path), ("Domain", domain)):
        if text is not None:
            if not _ATTRIBUTE.fullmatch(text):
                raise ValueError(f"cookie {key!r}: {name.lower()}={text!r} holds a ';' or a control character")
            parts.append(f"{name}={text}")
    if max_age is not None:
        parts.append(f"Max-Age={int(max_age)}")
    if expires is not None:
        parts.append(f"Expires={_date(expires)}")
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
    return "; ".join(parts)


def _quoted(key: str, value: str) -> str:
    if _OCTETS.fullmatch(value):
        return value
    if _QUOTABLE.fullmatch(value):
        return f'"{value}"'
    raise ValueError(
        f'cookie {key!r}: the value {value!r} holds what a cookie cannot carry (a control character, ", ;, \\ or '
        "one outside ASCII): encode it, for example with urllib.parse.quote, or use set_sign_cookie, which does"
    )


def _date(moment: datetime | float) -> str:
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a Cookie header. Of several with one name the first counts: browsers send the most specific path
    first.
    """
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        name, found, value = pair.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not found or not name:
            continue
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = value[1:-1]
        cookies.setdefault(name, value)
    return cookies


def sign(name: str, value: str, secret: str, *, now: float | None = None) -> str:
    """`value` in a form that only a holder of `secret` can make: value, time and HMAC-SHA256, in URL-safe base64.

    The time is in whole seconds since the epoch. The cookie's name is signed too, so that one cookie's value does not
    pass for another's. The value is not hidden.
    """
    payload = f"{_encode(value.encode())}.{int(time.time() if now is None else now)}"
    return f"{payload}.{_encode(_mac(name, payload, secret))}"


def unsign(
    name: str, signed: str, secrets: Sequence[str], *, max_age: float | None = None, now: float | None = None
) -> str | None:
    """The value that `sign` took, or `None` when it was changed, signed by none of `secrets`, or `max_age` seconds
    old.
    """
    payload, _, mac = signed.rpartition(".")
    encoded, _, stamp = payload.partition(".")
    try:
        given, value, signed_at = _decode(mac), _decode(encoded).decode(), int(stamp)
    except ValueError:
        return None
    matches = [hmac.compare_digest(given, _mac(name, payload, secret)) for secret in secrets]
    if not any(matches):
        return None
    if max_age is not None and (time.time() if now is None else now) - signed_at > max_age:
        return None
    return value


def _mac(name: str, payload: str, secret: str) -> bytes:
    # NUL cannot occur in a cookie's name or in the payload, so no two triples give the same message.
    message = b"\0".join(
        (_SIGNATURE_CONTEXT, name.encode("utf-8", "surrogatepass"), payload.encode("utf-8", "replace"))
    )
    return hmac.digest(secret.encode(), message, sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    # The decoder skips characters that are not its own; a value has exactly one spelling here.
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(data) != text:
        raise binascii.Error("not canonical")
    return data
