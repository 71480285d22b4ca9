"""Signed cookies: a value, the time it was signed at and an HMAC over both."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Sequence
from hashlib import sha256

__all__ = [
    "sign",
    "unsign",
]

_SIGNATURE_CONTEXT = b"slimeweb cookie 1"


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
