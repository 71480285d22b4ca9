"""Decoders that are not slimeweb's, as fixtures."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def decoder(coding: str) -> Callable[[bytes], bytes]:
    """A function that takes an encoded body piece by piece and returns what each piece decodes to."""
    if coding == "gzip":
        return zlib.decompressobj(wbits=31).decompress
    if coding == "br":
        brotli = _module("brotli").Decompressor()

        def decompress_all(data: bytes) -> bytes:
            # It returns some 32 KiB at a time, and has to be asked for the rest.
            decoded = piece = brotli.process(data)
            while piece and not brotli.is_finished():
                piece = brotli.process(b"")
                decoded += piece
            return bytes(decoded)

        return decompress_all
    decompress: Callable[[bytes], bytes] = _module("compression.zstd", "backports.zstd").ZstdDecompressor().decompress
    return decompress


@pytest.fixture(scope="session")
def decode() -> Callable[..., bytes]:
    """`decode(coding, *pieces)`: the whole body."""

    def decode(coding: str, *pieces: bytes) -> bytes:
        feed = decoder(coding)
        return b"".join(feed(piece) for piece in pieces if piece)

    return decode


@pytest.fixture(scope="session")
def decode_steps() -> Callable[[str, Iterable[bytes]], list[bytes]]:
    """`decode_steps(coding, pieces)`: what each piece adds."""

    def decode_steps(coding: str, pieces: Iterable[bytes]) -> list[bytes]:
        feed = decoder(coding)
        return [feed(piece) for piece in pieces]

    return decode_steps


def _module(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    pytest.skip(f"no wheel of {names[-1]} for this interpreter")
