"""Which responses may be compressed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slimeweb import SlimeResponse

__all__ = ["has_body", "is_left_alone", "is_partial"]

_WITHOUT_BODY = frozenset({204, 205, 304})

# Types that hold bytes compressed already; the negations are those of a family that do not.
_COMPRESSED = re.compile(
    r"image/(?!svg\+xml|(?:x-|x-ms-)?bmp|x-icon|vnd\.microsoft\.icon|tiff)"
    r"|video/"
    r"|audio/(?!(?:x-)?(?:midi|wav|aiff)|vnd\.wave)"
    r"|font/woff|application/(?:x-)?font-woff"
    r"|application/(?:x-)?(?:zip|gzip|bzip2?|xz|zstd|brotli|lzma|lzip|compress|7z|rar)(?:-compressed)?$"
    r"|application/(?:pdf|ogg|java-archive|vnd\.rar|x-gtar-compressed)$"
    r"|application/vnd\.(?:openxmlformats-officedocument|oasis\.opendocument)\."
    r"|application/vnd\.(?:android\.package-archive|debian\.binary-package)$"
    r"|.*\+(?:zip|gzip|zstd)$"
)

_DIGESTS = frozenset({"content-digest", "repr-digest", "digest", "content-md5"})


def has_body(response: SlimeResponse) -> bool:
    """Whether a response of its status has a body (RFC 9110, section 6.4.1)."""
    return response.status not in _WITHOUT_BODY


def is_partial(response: SlimeResponse) -> bool:
    """Whether it is a part of a body, whose offsets count bytes as they were (RFC 9110, section 14)."""
    return response.status == 206 or bool(response.header_all("Content-Range"))


def is_left_alone(response: SlimeResponse) -> bool:
    """Whether it goes out as it is, whatever the client asks for.

    That is so for types that are compressed already, where the handler vouches for these very bytes by a digest (RFC
    9530), and where Cache-Control says no-transform (RFC 9111, section 5.2.2.6).
    """
    headers = response.headers
    return (
        _is_compressed(headers.get("content-type", ""))
        or not _DIGESTS.isdisjoint(headers)
        or _has_directive(headers.get("cache-control", ""), "no-transform")
    )


def _is_compressed(content_type: str) -> bool:
    return _COMPRESSED.match(content_type.partition(";")[0].strip(" \t").lower()) is not None


def _has_directive(cache_control: str, directive: str) -> bool:
    return any(each.strip(" \t").lower() == directive for each in cache_control.split(","))
