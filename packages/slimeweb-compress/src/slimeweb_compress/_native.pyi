"""Encoders for HTTP bodies, in Rust."""

from typing import final

__all__ = ["Encoder", "__version__"]

__version__: str

@final
class Encoder:
    """Encodes one body as `coding`: `gzip`, `br` or `zstd`. Detaches from the interpreter for large inputs.

    `length` is the body's length in bytes, which is binding; `None` for a stream. `ValueError` for a coding or a level
    that there is not. `RuntimeError` for calls that overlap, and for any after `finish`.
    """

    def __new__(cls, coding: str, level: int, length: int | None = None) -> Encoder: ...
    def push(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...
    def finish(self) -> bytes: ...
