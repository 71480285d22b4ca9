"""Passwords and tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

__all__ = ["is_password", "password_hash", "token", "user_of"]


def password_hash(password: str) -> str:
    """What is kept of a password: a random salt, and scrypt's key of both."""
    salt = secrets.token_bytes(16)
    return f"{b64encode(salt).decode()}:{b64encode(_key(password, salt)).decode()}"


def is_password(password: str, kept: str) -> bool:
    """Whether `kept` is what `password_hash` has made of that password."""
    salt, key = map(b64decode, kept.split(":"))
    return hmac.compare_digest(_key(password, salt), key)


def token(user: int, secret: str) -> str:
    """What a client shows to be that user."""
    return f"{user}.{_signature(str(user), secret)}"


def user_of(token: str, secret: str) -> int | None:
    """The identifier of the user whose token it is, `None` where it is nobody's."""
    user, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(user, secret).encode()):
        return None
    return int(user)


def _key(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def _signature(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), b"conduit:" + text.encode(), hashlib.sha256).hexdigest()
