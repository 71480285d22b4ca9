"""Streaming responses and server-sent events for slimeweb."""

from slimeweb_stream.asynchronous import AsyncStreamResponse
from slimeweb_stream.events import Event
from slimeweb_stream.synchronous import StreamResponse

__all__ = ["AsyncStreamResponse", "Event", "StreamResponse"]
