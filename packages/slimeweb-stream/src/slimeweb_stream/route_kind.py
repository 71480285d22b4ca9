"""The route kind `stream`: wraps a streaming handler into one of a request and a response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slimeweb import RouteSpec, SlimeRequest, SlimeResponse
from slimeweb_stream.asynchronous import AsyncStreamResponse
from slimeweb_stream.base import BaseStream, ContentType, Surroundings, logger
from slimeweb_stream.keep_alive_timer import KeepAliveTimer
from slimeweb_stream.open_streams import OpenStreams
from slimeweb_stream.synchronous import StreamResponse

__all__ = ["wrap"]


def wrap(
    route: RouteSpec,
    handler: Callable[..., Any],
    keep_alive_timer: KeepAliveTimer,
    open_streams: OpenStreams,
    *,
    dev: bool = False,
) -> Callable[..., Any]:
    """The handler that the core calls: it gives the user's one a streaming response, and ends the stream after it.

    With `dev` it says when a value was returned, which goes nowhere.
    """
    surroundings = Surroundings(ContentType.of(route.options["stream"]), keep_alive_timer, open_streams)

    def run(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream = StreamResponse(req, resp, surroundings)
        try:
            result = handler(req, stream)
            if dev and result is not None:
                _tell(route, result)
        finally:
            stream.end()

    async def run_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream = AsyncStreamResponse(req, resp, surroundings)
        try:
            result = await handler(req, stream)
            if dev and result is not None:
                _tell(route, result)
            await stream.flush()
        finally:
            stream.end()

    return run_async if route.is_async else run


def _tell(route: RouteSpec, result: object) -> None:
    if not isinstance(result, BaseStream | SlimeResponse):
        logger.warning(
            "the stream %s returned a value of type %s, which is not sent: give it to resp.send(…)",
            route,
            type(result).__name__,
        )
