"""Transformations of response bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["BodyEncoder", "BodyFilter"]


class BodyFilter(Protocol):
    """Decides, response by response, whether a body is transformed on its way out.

    An attribute `stage` says what it changes: `content` (where it is left out) the text, picture or whatever the body
    is, `coding` its Content-Encoding (RFC 9110, section 8.4). Filters of content come first, whatever the plugins'
    order. A response with a Content-Encoding, its handler's or another filter's, is not filtered; nor is the content
    of a part of a body, of one with a digest, or of one whose Cache-Control says no-transform.

    One filter object serves many requests at once, on any thread: it keeps no state of its own about them.

    An attribute `loop_limit` says from how many bytes on a coroutine handler's body goes through the filter on a pool
    thread. It may be left out; a slow transformation sets less than what holds then (`docs/plugins.md`), so that no
    event loop waits for it.
    """

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> BodyEncoder | None:
        """An encoder for this response's body, or `None` to send it as it is.

        `length` is the body's length in bytes, `None` for one that is written piece by piece. For an answer without a
        body it is 0, and only what is done to the headers counts. The response's headers may still be changed here:
        Content-Encoding, Vary. Content-Length is the server's, which also removes Accept-Ranges and makes ETag weak
        where there is an encoder.
        """


class BodyEncoder(Protocol):
    """Transforms one body. Its methods are called in order and never overlap; each returns the bytes to send, maybe
    none.
    """

    def push(self, data: bytes, /) -> bytes:
        """Takes a piece of the body."""

    def flush(self) -> bytes:
        """What is needed so that the client can use all that has been pushed so far."""

    def finish(self) -> bytes:
        """The rest. Nothing is called afterwards."""
