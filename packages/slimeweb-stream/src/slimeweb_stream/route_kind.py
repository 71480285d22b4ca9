"""The route kind `stream`: wraps a streaming handler into one of a request and a response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import Any

from slimeweb import RouteSpec, SlimeRequest, SlimeResponse
from slimeweb.stopping import StopCallbacks
from slimeweb_stream.asynchronous import AsyncStreamResponse
from slimeweb_stream.base import BaseStream, ContentType, Surroundings, logger
from slimeweb_stream.iteration import iterate
from slimeweb_stream.keep_alive_timer import KeepAliveTimer
from slimeweb_stream.synchronous import StreamResponse

__all__ = ["wrap"]

GENERATOR = (Iterator, AsyncIterator)
"""What a handler may return, or be: what it yields are the pieces."""


def wrap(
    route: RouteSpec,
    handler: Callable[..., Any],
    keep_alive_timer: KeepAliveTimer,
    stop_callbacks: StopCallbacks,
    *,
    dev: bool = False,
) -> Callable[..., Any]:
    """The handler that the core calls: it gives the user's one a streaming response, and ends the stream after it.

    With `dev` it says when a value was returned, which goes nowhere, and when there was no stream.
    """
    surroundings = Surroundings(ContentType.of(route.options["stream"]), keep_alive_timer, stop_callbacks)

    def run(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream = StreamResponse(req, resp, surroundings)
        try:
            result = handler(req, stream)
            # What abstract classes are asked takes longer than all else here.
            if result is not None and isinstance(result, GENERATOR):
                iterate(stream, result)
            elif dev:
                _check(route, stream, result)
        finally:
            stream.end()

    async def run_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        stream = AsyncStreamResponse(req, resp, surroundings)
        try:
            result = await handler(req, stream)
            if result is not None and isinstance(result, GENERATOR):
                iterate(stream, result)
                return
            if dev:
                _check(route, stream, result)
            await stream.flush()
        finally:
            stream.end()

    return run_async if route.is_async else run


def _check(route: RouteSpec, stream: BaseStream, result: object) -> None:
    """Warns of what would leave no trace: a value that is not sent, a stream that never began."""
    if result is not None and not isinstance(result, BaseStream | SlimeResponse):
        logger.warning(
            "the stream %s returned a value of type %s, which is not sent: give it to resp.send(…)",
            route,
            type(result).__name__,
        )
    # A handler that has set a status means to answer with it alone.
    elif not stream.started and stream.status == HTTPStatus.OK:
        logger.warning(
            "the handler of the stream %s ended without starting it, and so the answer is an empty 204: call "
            "resp.start_stream() before resp.send(…), or resp.set_status(…) for an answer without a body",
            route,
        )
