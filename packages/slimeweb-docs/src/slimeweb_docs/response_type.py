"""What kind of body a documented route answers with."""

from __future__ import annotations

from enum import Enum

__all__ = ["SlimeResponseType"]


class SlimeResponseType(Enum):
    """The kind of a route's answer, for `@app.docs(response_type=…)`."""

    PlainResponse = "plain"
    JsonResponse = "json"
    HTMLResponse = "html"
    StreamResponse = "stream"
    WebSocketResponse = "websocket"
    CsvResponse = "csv"
    XmlResponse = "xml"
    BinaryResponse = "binary"

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
