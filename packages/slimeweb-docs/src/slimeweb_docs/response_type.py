"""What kind of body a documented route answers with."""

from __future__ import annotations

from enum import Enum

__all__ = ["SlimeResponseType"]


class SlimeResponseType(Enum):
    """The kind of a route's answer, for `@app.docs(response_type=…)`."""

    PlainResponse = "plain"
    """text/plain"""
    JsonResponse = "json"
    """application/json"""
    HTMLResponse = "html"
    """text/html"""
    StreamResponse = "stream"
    """Pieces, of the type that the route says by `content`, else of application/octet-stream."""
    WebSocketResponse = "websocket"
    """A WebSocket connection (RFC 6455), which the document describes as a GET that is answered with 101."""
    CsvResponse = "csv"
    """text/csv"""
    XmlResponse = "xml"
    """application/xml"""
    BinaryResponse = "binary"
    """application/octet-stream"""

    JSON = "json"  # noqa: PIE796 -- an alias
    """Another name for `JsonResponse`."""

    @property
    def media_type(self) -> str | None:
        """The answer's media type (RFC 9110, section 8.3.1); `None` where the kind alone does not tell."""
        return {
            "plain": "text/plain",
            "json": "application/json",
            "html": "text/html",
            "csv": "text/csv",
            "xml": "application/xml",
            "binary": "application/octet-stream",
        }.get(self.value)
