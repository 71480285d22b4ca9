"""How a response is compressed: what a route's options, or `Compress(…)`, come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slimeweb_compress.compression import SlimeCompression, check_level

__all__ = ["LEVEL", "THRESHOLD", "CompressionOptions", "as_compression", "as_level", "as_threshold"]

LEVEL = 1
"""The fastest: between a server and its clients, the levels above cost more time than they save."""

THRESHOLD = 1024
"""In bytes. A body that fits in one packet with its head arrives no sooner for being smaller."""


@dataclass(frozen=True, slots=True)
class CompressionOptions:
    """How a response is compressed: `compression` says which codings there are to choose from, `level` is one of its
    levels, and bodies shorter than `threshold` bytes are sent as they are. `LevelError` for a level that it does not
    have.
    """

    compression: SlimeCompression
    level: int = LEVEL
    threshold: int = THRESHOLD

    def __post_init__(self) -> None:
        check_level(self.compression, self.level)

    def adjusted(self, level: int | None, threshold: int | None) -> CompressionOptions:
        """It, with what is given in place of its own. `LevelError` when its compression does not have that level."""
        return CompressionOptions(
            self.compression,
            self.level if level is None else level,
            self.threshold if threshold is None else threshold,
        )


def as_compression(value: Any, name: str = "compression") -> SlimeCompression:
    """`TypeError` for anything but a `SlimeCompression`."""
    if not isinstance(value, SlimeCompression):
        names = ", ".join(map(str, SlimeCompression))
        raise TypeError(f"{name}={value!r} is not a SlimeCompression: use one of {names}")
    return value


def as_level(value: Any, name: str = "comp_level") -> int:
    """`TypeError` for anything but an `int`, `ValueError` for one that is no compression's level."""
    number = _as_int(value, name)
    widest = SlimeCompression.Zstd.levels
    if number not in widest:
        ranges = ", ".join(
            f"{each} takes {each.levels.start} to {each.levels.stop - 1}" for each in SlimeCompression if each.codings
        )
        raise ValueError(f"{name}={value!r} is out of range: {ranges}")
    return number


def as_threshold(value: Any, name: str = "comp_threshold") -> int:
    """`TypeError` for anything but an `int`, `ValueError` for one below 0."""
    number = _as_int(value, name)
    if number < 0:
        raise ValueError(f"{name}={value!r} is not a length in bytes: use 0 (to compress everything) or more")
    return number


def _as_int(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r} is not a whole number")
    return value
