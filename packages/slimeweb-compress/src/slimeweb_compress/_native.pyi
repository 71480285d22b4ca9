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
    def push(self, data: bytes, /) -> bytes:
        """Takes a piece of the body; returns what there is to send, maybe nothing."""

    def flush(self) -> bytes:
        """What is missing so that all that has been pushed can be decoded."""

    def finish(self) -> bytes:
        """The rest. `RuntimeError` for whatever is called after it."""
