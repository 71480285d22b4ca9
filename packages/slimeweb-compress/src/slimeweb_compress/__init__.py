"""Response compression for slimeweb: gzip, brotli and zstd, by `route(compression=…)` or `app.use(Compress())`."""

from slimeweb_compress.compression import LevelError, SlimeCompression
from slimeweb_compress.middleware import Compress
from slimeweb_compress.options import CompressionOptions

__all__ = ["Compress", "CompressionOptions", "LevelError", "SlimeCompression"]
