"""Compression, response by response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from slimeweb.header import choose_encoding
from slimeweb_compress._native import Encoder
from slimeweb_compress.options import CompressionOptions
from slimeweb_compress.suitability import has_body, is_left_alone, is_partial

if TYPE_CHECKING:
    from slimeweb import SlimeRequest, SlimeResponse

__all__ = ["CompressionFilter"]


@dataclass(frozen=True, slots=True)
class CompressionFilter:
    """Compresses the responses of one route: `default` says how, `by_method` where that depends on the method."""

    stage: ClassVar[str] = "coding"

    default: CompressionOptions | None
    by_method: Mapping[str, CompressionOptions | None]

    @property
    def loop_limit(self) -> int:
        """How many bytes an event loop may compress itself: the higher the level, the fewer."""
        choices = (self.default, *self.by_method.values())
        highest = max((options.level for options in choices if options is not None), default=1)
        # What a byte costs grows faster than the level does.
        return max(1024, 64 * 1024 // highest**2)

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Encoder | None:
        """An encoder for what the client asked for; `None` to send the body as it is.

        Vary goes on every response that another client could get in another coding: a cache must not mix them up.
        """
        options = self.by_method.get(request.method, self.default) if self.by_method else self.default
        if options is None or is_left_alone(response):
            return None
        if not has_body(response) and response.status != 304:
            return None
        _add_vary(response)
        if length == 0 or not has_body(response) or is_partial(response):
            return None
        field = request.header.get("Accept-Encoding")
        coding, refuses_identity = choose_encoding(field, options.compression.codings)
        if coding is None:
            return None
        if length is not None and length < options.threshold and not refuses_identity:
            return None
        encoder = Encoder(coding, options.level, length)
        response.set_header("Content-Encoding", coding)
        return encoder


def _add_vary(response: SlimeResponse) -> None:
    lines = response.header_all("Vary")
    names = {name.strip(" \t").lower() for line in lines for name in line.split(",")}
    if names.isdisjoint({"*", "accept-encoding"}):
        response.set_header("Vary", ", ".join([*lines, "Accept-Encoding"]))
