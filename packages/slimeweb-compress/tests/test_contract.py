"""Compression, as the contract wants any body filter to be."""

from __future__ import annotations

import gzip
from typing import Any, ClassVar

from slimeweb.testing.contracts import BodyFilterContract
from slimeweb_compress import SlimeCompression, plugin


class TestGzip(BodyFilterContract):
    headers: ClassVar = {"Accept-Encoding": "gzip"}
    options: ClassVar[dict[str, Any]] = {"compression": SlimeCompression.Gzip, "comp_threshold": 0}

    def plugin(self) -> object:
        return plugin

    def decode(self, body: bytes) -> bytes:
        # One byte is not made longer.
        return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
