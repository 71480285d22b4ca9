"""From a streaming handler to a plain one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slimeweb import RouteSpec, SlimeRequest, SlimeResponse
from slimeweb_stream.asynchronous import AsyncStreamResponse
from slimeweb_stream.base import ContentType
from slimeweb_stream.pulse import Pulse
from slimeweb_stream.synchronous import StreamResponse

__all__ = ["wrap"]


def wrap(route: RouteSpec, handler: Callable[..., Any], pulse: Pulse) -> Callable[..., Any]:
    """The handler that the core calls: it gives the user's one a streaming response, and ends the stream after it."""
    content_type = ContentType.of(route.options["stream"])

    def run(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream = StreamResponse(req, resp, content_type, pulse)
        try:
            handler(req, stream)
        finally:
            stream.end()

    async def run_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream = AsyncStreamResponse(req, resp, content_type, pulse)
        try:
            await handler(req, stream)
            await stream.flush()
        finally:
            stream.end()

    return run_async if route.is_async else run
