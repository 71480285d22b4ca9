"""Directories whose files are served as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from slimeweb._compiled import StaticMount
from slimeweb.errors import ConfigError
from slimeweb.tokens import FIELD_VALUE, TOKEN

__all__ = ["StaticMounts"]

_PREFIX = "/static"

_OWN = frozenset(
    {
        "accept-ranges",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "location",
        "transfer-encoding",
    }
)
"""Fields that the server itself sends with a file."""


class StaticMounts:
    """What `static_route` declares, and the directory `static` beside the application's file."""

    __slots__ = ("_mounts", "_root")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mounts: tuple[StaticMount, ...] = ()

    def add(
        self, prefix: str, directory: str | os.PathLike[str], headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Declares a directory. `ConfigError` when it does not exist, or for a prefix or a header that will not do."""
        if not isinstance(prefix, str) or not prefix.startswith("/") or any(mark in prefix for mark in "{}?#"):
            raise ConfigError(
                f"static_route({prefix!r}): the prefix has to be a path that starts with '/', such as '/assets'"
            )
        prefix = prefix.rstrip("/") or "/"
        if any(mount.prefix == prefix for mount in self._mounts):
            raise ConfigError(f"static_route({prefix!r}): this prefix has a directory already")
        role = f"static_route({prefix!r})"
        if not isinstance(headers, Mapping):
            raise ConfigError(f"{role}: headers={headers!r} is no dict: give {{'Access-Control-Allow-Origin': '*'}}")
        for name, value in headers.items():
            _check_header(role, name, value)
        self._mounts = (*self._mounts, StaticMount(prefix, self._existing(role, directory), tuple(headers.items())))

    def resolve(self, static_path: str | None) -> tuple[StaticMount, ...]:
        """Every directory to serve; `static_path` is served below `/static`, by default `static/` if that exists.

        It is looked for beside the application's file first, then as it is. `ConfigError` when it is at neither place.
        """
        if static_path is not None:
            directory = self._existing("static_path", static_path)
        elif (self._root / "static").is_dir():
            directory = str(self._root / "static")
        else:
            return self._mounts
        if any(mount.prefix == _PREFIX for mount in self._mounts):
            return self._mounts
        return (*self._mounts, StaticMount(_PREFIX, directory))

    def _existing(self, role: str, directory: str | os.PathLike[str]) -> str:
        if not isinstance(directory, str | os.PathLike):
            raise ConfigError(f"{role}: {directory!r} is no directory: give its path")
        for candidate in (self._root / directory, Path(directory).absolute()):
            if candidate.is_dir():
                return str(candidate)
        raise ConfigError(f"{role}: {os.fspath(directory)!r} is not a directory, neither in {self._root} nor as it is")


def _check_header(role: str, name: object, value: object) -> None:
    if not isinstance(name, str) or not TOKEN.fullmatch(name):
        raise ConfigError(f"{role}: {name!r} is not a header name: use one such as 'Access-Control-Allow-Origin'")
    if not isinstance(value, str) or not FIELD_VALUE.fullmatch(value):
        raise ConfigError(
            f"{role}: {value!r} cannot be the header {name}: use text without line breaks and other control characters"
        )
    if name.lower() in _OWN:
        raise ConfigError(f"{role}: the header {name} is the server's own: it depends on the file")
