"""The keys that sign cookies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from secrets import token_urlsafe

from slimeweb.errors import ConfigError

__all__ = ["SecretKeys"]

_logger = logging.getLogger("slimeweb")


class SecretKeys:
    """An application's keys: the first signs, all verify. Without any, one is made up when first needed."""

    __slots__ = ("_keys", "_lock", "_quiet")

    def __init__(self, keys: str | Sequence[str] | None = None, *, quiet: bool = False) -> None:
        listed = (keys,) if isinstance(keys, str) else tuple(keys or ())
        for key in listed:
            if not isinstance(key, str) or not key:
                # Never the value: bytes, say, would be the key itself.
                given = "an empty str" if key == "" else f"a {type(key).__name__}"
                raise ConfigError(f"secret_key is {given}: give a non-empty str, or a list of them, the newest first")
        self._keys = listed
        self._lock = threading.Lock()
        self._quiet = quiet

    def all(self) -> tuple[str, ...]:
        """Every key, the one that signs first."""
        with self._lock:
            if not self._keys:
                self._keys = (token_urlsafe(32),)
                if not self._quiet:
                    _logger.warning(
                        "no secret_key is set: signed cookies end with this process and are not valid in another; "
                        "use serve(secret_key=…) or SLIME_SECRET_KEY"
                    )
            return self._keys

    def first(self) -> str:
        """The key that signs."""
        return self.all()[0]
