"""The resources of requests: made just before a handler, ended after it and the middleware of its route.

What is decided for a route is decided once; a route that lists none has nothing of this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slimeweb._cancellation import is_of_child
from slimeweb._resource_steps import Begun, Step, end, end_async
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
]

OnError = Callable[["SlimeRequest", "SlimeResponse", BaseException], None]
Check = Callable[["SlimeRequest", "SlimeResponse"], object]


class RequestResources(Resources):
    """Those of a plain handler's request, beside those of its worker."""

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
        error, _ = end(self._begun, None)
        if error is not None:
            raise error


class AsyncRequestResources(RequestResources):
    """Those of a coroutine handler's request."""

    __slots__ = ()

    async def end(self) -> None:
        """As of any, to be awaited."""
        error, _ = await end_async(self._begun, None)
        if error is not None:
            raise error


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
                    after, _ = _end(req, error)
                    raise_other(after, error)
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
                resources = req.resources
                if isinstance(resources, RequestResources):
                    resources._error = None
                    after, _ = await end_async(resources._begun, error)
                    raise_other(after, error)
            raise
        await finish_async(req, resp)

    return ended_async


def _end(req: SlimeRequest, error: BaseException) -> tuple[BaseException | None, Step | None]:
    resources = req.resources
    if not isinstance(resources, RequestResources):
        return None, None
    resources._error = None
    return end(resources._begun, error)


def nothing(req: SlimeRequest, resp: SlimeResponse) -> None:
    """What resources are made for that only middleware uses."""


async def nothing_async(req: SlimeRequest, resp: SlimeResponse) -> None:
    """As `nothing`, in a coroutine."""


def raise_other(after: BaseException | None, error: BaseException | None) -> None:
    """Raises what has taken the place of an error."""
    if after is not None and after is not error:
        raise after


def finish(req: SlimeRequest, resp: SlimeResponse) -> None:
    """Ends what has begun for a request that has its answer. Raises what that raises."""
    resources = req.resources
    if isinstance(resources, RequestResources):
        error, resources._error = resources._error, None
        try:
            after, _ = end(resources._begun, error)
            raise_other(after, error)
        finally:
            del error


async def finish_async(req: SlimeRequest, resp: SlimeResponse) -> None:
    """As `finish`, in the running task."""
    resources = req.resources
    if isinstance(resources, RequestResources):
        error, resources._error = resources._error, None
        try:
            after, _ = await end_async(resources._begun, error)
            raise_other(after, error)
        finally:
            del error
