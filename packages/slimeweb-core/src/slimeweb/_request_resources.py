"""The resources of requests: made just before a handler, ended after it and the middleware of its route.

What is decided for a route is decided once; a route that lists none has nothing of this.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slimeweb._cancellation import is_of_child, wait_uncancelled
from slimeweb._resource_steps import Begun, Step, end, end_async
from slimeweb._streaming import run
from slimeweb.handlers import Handler
from slimeweb.resources import Resources

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = [
    "RequestResources",
    "ending",
    "finish",
    "finish_async",
    "making",
    "nothing",
    "nothing_async",
    "recording",
    "settling",
]

OnError = Callable[["SlimeRequest", "SlimeResponse", BaseException], None]
Check = Callable[["SlimeRequest", "SlimeResponse"], object]


class RequestResources(Resources):
    """Those of a plain handler's request, beside those of its worker."""

    # All names without an underscore are for resources.

    __slots__ = ("_begun", "_error")

    def __init__(self, outer: Resources) -> None:
        self.__dict__.update(outer.__dict__)
        self._names = outer._names
        self._loop = outer._loop
        self._begun: list[Begun] = []
        self._error: BaseException | None = None
        """What the handler or middleware has raised, where that is answered by now."""

    def end(self) -> Any:
        """As of any: it has happened when this returns."""
        raise_other(self._finish(None), None)

    def _finish(self, error: BaseException | None) -> BaseException | None:
        """Ends what has begun, with what has been raised. Returns what there is to raise afterwards."""
        return end(self._begun, error)[0]

    async def _finish_async(self, error: BaseException | None) -> BaseException | None:
        """As `_finish`, for a stream that is sent on an event loop, which must not wait: on another thread."""
        loop = asyncio.get_running_loop()
        ending = loop.run_in_executor(None, contextvars.copy_context().run, self._finish, error)
        try:
            await wait_uncancelled(ending)
        except asyncio.CancelledError as cancelled:
            return ending.result() or cancelled
        return ending.result()


class AsyncRequestResources(RequestResources):
    """Those of a coroutine handler's request."""

    __slots__ = ()

    async def end(self) -> None:
        """As of any, to be awaited."""
        raise_other(await self._finish_async(None), None)

    async def _finish_async(self, error: BaseException | None) -> BaseException | None:
        """Ends what has begun, in the running task."""
        return (await end_async(self._begun, error))[0]


def resources_of(req: SlimeRequest, kind: type[RequestResources]) -> RequestResources:
    """The request's own, made if it has none yet."""
    found = req.resources
    if not isinstance(found, RequestResources):
        found = kind(found)
        req._set_resources(found)
    return found


def making(handler: Handler, steps: Sequence[Step], checks: Sequence[Check], *, is_async: bool) -> Handler:
    """The handler, called once the checks have passed and the resources are made."""
    if not steps:
        return _checked(handler, checks, is_async=is_async)
    if not is_async:

        def made(req: SlimeRequest, resp: SlimeResponse) -> Any:
            for check in checks:
                check(req, resp)
            resources = resources_of(req, RequestResources)
            values = resources.__dict__
            for step in steps:
                if step.name not in values:
                    step.make(values, resources._begun, req, resp)
            return handler(req, resp)

        return made

    async def made_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
        for check in checks:
            check(req, resp)
        resources = resources_of(req, AsyncRequestResources)
        values = resources.__dict__
        for step in steps:
            if step.name not in values:
                await step.make_async(values, resources._begun, req, resp)
        return await handler(req, resp)

    return made_async


def _checked(handler: Handler, checks: Sequence[Check], *, is_async: bool) -> Handler:
    def checked(req: SlimeRequest, resp: SlimeResponse) -> Any:
        for check in checks:
            check(req, resp)
        return handler(req, resp)

    async def checked_async(req: SlimeRequest, resp: SlimeResponse) -> Any:
        for check in checks:
            check(req, resp)
        return await handler(req, resp)

    return checked_async if is_async else checked


def recording(on_error: OnError) -> OnError:
    """`on_error`, which also keeps what it answers, for the resources to be told."""

    def record(req: SlimeRequest, resp: SlimeResponse, error: BaseException) -> None:
        resources = req.resources
        if isinstance(resources, RequestResources):
            resources._error = error
        on_error(req, resp, error)

    return record


def ending(inner: Handler, *, is_async: bool) -> Handler:
    """`inner`, after which the resources of the request end: its answer is complete by then.

    Raises what `inner` does, or what ending the resources does in its place; what `inner` has answered already is not
    raised again.
    """
    pid = os.getpid()
    if not is_async:

        def ended(req: SlimeRequest, resp: SlimeResponse) -> None:
            try:
                result = inner(req, resp)
                if result is not None:
                    resp.accept(result)
            except BaseException as error:
                if not is_of_child(error, pid):
                    _fail(req, error)
                raise
            finish(req, resp)

        return ended

    async def ended_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        try:
            result = await inner(req, resp)
            if result is not None:
                resp.accept(result)
        except GeneratorExit:
            # The loop is gone.
            raise
        except BaseException as error:
            if not is_of_child(error, pid):
                await _fail_async(req, resp, error)
            raise
        await finish_async(req, resp)

    return ended_async


def settling(endpoint: Handler, *, is_async: bool) -> Handler:
    """The whole endpoint, with what becomes of resources that a stream still uses: they end after that, or here where
    middleware has put something else in its place. Coroutines send the stream here, so that resources end in the task
    that has made them.
    """
    if not is_async:
        # The server sends a plain handler's stream, and ends them after it.
        return ending(endpoint, is_async=False)
    pid = os.getpid()

    async def settled_async(req: SlimeRequest, resp: SlimeResponse) -> None:
        try:
            await endpoint(req, resp)
        except GeneratorExit:
            raise
        except BaseException as error:
            if not is_of_child(error, pid):
                await _fail_async(req, resp, error)
            raise
        resources = req.resources
        if isinstance(resources, RequestResources) and resources._begun:
            if resp._is_streamed:
                await run(resp, resources)
            else:
                await finish_async(req, resp)

    return settled_async


def _fail(req: SlimeRequest, error: BaseException) -> None:
    """Ends what has begun for a request that has failed. Raises what takes the place of the error."""
    resources = req.resources
    if isinstance(resources, RequestResources):
        resources._error = None
        raise_other(resources._finish(error), error)


async def _fail_async(req: SlimeRequest, resp: SlimeResponse, error: BaseException) -> None:
    resources = req.resources
    if isinstance(resources, RequestResources):
        resources._error = None
        resp._begin_end()
        raise_other(await resources._finish_async(error), error)


def nothing(req: SlimeRequest, resp: SlimeResponse) -> None:
    """What resources are made for that only middleware uses."""


async def nothing_async(req: SlimeRequest, resp: SlimeResponse) -> None:
    """As `nothing`, in a coroutine."""


def raise_other(after: BaseException | None, error: BaseException | None) -> None:
    """Raises what has taken the place of an error."""
    if after is not None and after is not error:
        raise after


def finish(req: SlimeRequest, resp: SlimeResponse) -> None:
    """Ends what has begun for a request that has its answer, unless that is a stream, which still uses it. Raises what
    that raises.
    """
    resources = req.resources
    if isinstance(resources, RequestResources):
        error, resources._error = resources._error, None
        try:
            if error is not None or not resp._is_streamed:
                raise_other(resources._finish(error), error)
        finally:
            del error


async def finish_async(req: SlimeRequest, resp: SlimeResponse) -> None:
    """As `finish`, in the running task."""
    resources = req.resources
    if isinstance(resources, RequestResources):
        error, resources._error = resources._error, None
        try:
            if error is not None or not resp._is_streamed:
                # A rollback may await, also where the client has left.
                resp._begin_end()
                raise_other(await resources._finish_async(error), error)
        finally:
            del error
