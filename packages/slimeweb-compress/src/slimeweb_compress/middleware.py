"""`Compress`: compression for many routes at once."""

from __future__ import annotations

from slimeweb import SlimeMiddleware
from slimeweb_compress.compression import SlimeCompression, check_level
from slimeweb_compress.options import LEVEL, THRESHOLD, CompressionOptions, as_compression, as_level, as_threshold

__all__ = ["Compress"]


class Compress(SlimeMiddleware):
    """Compresses the responses of the routes it is used for.

        app.use(Compress())
        app.use(Compress(SlimeCompression.Gzip, level=6), path="/reports")

    `level` has to be one that `compression` has; bodies shorter than `threshold` bytes are sent as they are.
    `TypeError` or `ValueError` for what will not do. A route's own `compression=`, `comp_level=` and `comp_threshold=`
    count before it, and of several that are used for a route, the one nearest to it.

    It is used like middleware but does nothing before or after a handler: bodies are compressed once all middleware
    has run.
    """

    only_declares = True

    def __init__(
        self,
        compression: SlimeCompression = SlimeCompression.All,
        level: int = LEVEL,
        threshold: int = THRESHOLD,
    ) -> None:
        compression = as_compression(compression)
        level = as_level(level, "level")
        check_level(compression, level, "level")
        self._options = CompressionOptions(compression, level, as_threshold(threshold, "threshold"))

    @property
    def options(self) -> CompressionOptions:
        """What it was made with."""
        return self._options

    def __repr__(self) -> str:
        options = self._options
        return f"Compress({options.compression}, level={options.level}, threshold={options.threshold})"
