"""What a route may ask for."""

from __future__ import annotations

from enum import Enum

from slimeweb.errors import PluginError

__all__ = ["LevelError", "SlimeCompression", "check_level"]


class SlimeCompression(Enum):
    """How the bodies of a route's responses are compressed for clients that ask for it."""

    NoCompression = "identity"
    """The body as it is, also where `Compress()` is used."""
    Gzip = "gzip"
    """RFC 1952, levels 1 to 9."""
    Brotli = "br"
    """RFC 7932, levels 1 to 11."""
    Zstd = "zstd"
    """RFC 8878, levels 1 to 22."""
    All = "*"
    """What the client likes best; of equals zstd, then brotli, then gzip. Levels 1 to 9, which all of them have."""

    @property
    def codings(self) -> tuple[str, ...]:
        """The content codings to choose from (RFC 9110, section 8.4.1), the best first."""
        match self:
            case SlimeCompression.NoCompression:
                return ()
            case SlimeCompression.All:
                return ("zstd", "br", "gzip")
            case _:
                return (self.value,)

    @property
    def levels(self) -> range:
        """The levels there are, from the fastest to the one that compresses best."""
        match self:
            case SlimeCompression.Gzip | SlimeCompression.All:
                return range(1, 10)
            case SlimeCompression.Brotli:
                return range(1, 12)
            case _:
                return range(1, 23)


class LevelError(PluginError, ValueError):
    """A level that the compression does not have."""


def check_level(compression: SlimeCompression, level: int, name: str = "comp_level") -> None:
    """`LevelError` for a level that the compression does not have; `name` is the argument it was given as."""
    levels = compression.levels
    if level not in levels:
        raise LevelError(f"{name}={level!r} is out of range: {compression} takes {levels.start} to {levels.stop - 1}")
