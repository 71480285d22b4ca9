"""The iteration over what `resp.stream` was given."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, Protocol

from slimeweb._cancellation import is_own_cancellation, wait_uncancelled
from slimeweb._core import BodyWriter, SlimeResponse
from slimeweb._forking import end_child
from slimeweb.concurrency import run_in_threadpool

__all__ = ["close", "is_stream", "run", "send", "start"]

OnBegin = Callable[[BodyWriter], object]
Pieces = Iterable[bytes | str]
AsyncPieces = AsyncIterable[bytes | str]
AsyncWrite = Callable[[SlimeResponse, BodyWriter, Any, bool, OnBegin | None], Coroutine[Any, Any, None]]


class RequestResources(Protocol):
    """The resources of a request that has some, which are used until its stream is over."""

    def _finish(self, error: BaseException | None) -> BaseException | None:
        """Ends them. `error` is what the stream has raised; returns what there is to raise afterwards."""

    async def _finish_async(self, error: BaseException | None) -> BaseException | None:
        """As `_finish`, in the running task."""


def send(
    writer: BodyWriter,
    iterable: Pieces,
    has_no_content: bool,
    on_begin: OnBegin | None = None,
    resources: RequestResources | None = None,
) -> None:
    """Writes the pieces, as fast as the client takes them. The head goes out with the first, or at the end where there
    is none; without content, at once. `on_begin` is called ahead of the first.

    The response is complete once the resources have ended: one that fails cuts it off.
    """
    if resources is None:
        _write(writer, iterable, has_no_content, on_begin)
    else:
        pid = os.getpid()
        error: BaseException | None = None
        try:
            _write(writer, iterable, has_no_content, on_begin)
        except BaseException as raised:
            error = raised
        try:
            if os.getpid() == pid:
                error = resources._finish(error)
            if error is not None:
                raise error
        finally:
            # Its traceback has this frame: together they would stay, with the request, until the collector runs.
            del error
    _complete(writer)


def _write(writer: BodyWriter, iterable: Pieces, has_no_content: bool, on_begin: OnBegin | None) -> None:
    iterator = None
    try:
        if not has_no_content:
            if on_begin is not None:
                on_begin(writer)
            iterator = iter(iterable)
            for piece in iterator:
                if not writer.started:
                    writer.start()
                writer.write(piece)
    finally:
        try:
            # What an iterable makes for one iteration ends with that.
            if iterator is not None and iterator is not iterable:
                close(iterator)
        finally:
            close(iterable)


def _complete(writer: BodyWriter) -> None:
    if not writer.started:
        writer.start()
    writer.close()


def close(iterable: object) -> None:
    """Closes a generator, or whatever else has a method `close` (PEP 342, PEP 3333)."""
    method = getattr(iterable, "close", None)
    if method is not None:
        method()


def start(
    resp: SlimeResponse,
    writer: BodyWriter,
    iterable: AsyncPieces,
    has_no_content: bool,
    on_begin: OnBegin | None = None,
    resources: RequestResources | None = None,
) -> asyncio.Task[None]:
    """Starts a task of the running loop that writes the pieces, and ends the response."""
    loop = asyncio.get_running_loop()
    coroutine = _run(resp, _send(resp, writer, iterable, has_no_content, on_begin, resources))
    if sys.version_info >= (3, 12):
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)


async def run(resp: SlimeResponse, resources: RequestResources) -> None:
    """Writes the pieces in the task that has made the resources, which end in it, and ends the response."""
    taken = resp._take_stream()
    if taken is not None:
        writer, iterable, has_no_content, on_begin, is_async = taken
        write = _write_async if is_async else _write_in_pool
        await _run(resp, _send(resp, writer, iterable, has_no_content, on_begin, resources, write))


def is_stream(coroutine: object) -> bool:
    """Whether it is that of a task that `start` has started."""
    return getattr(coroutine, "cr_code", None) is _run.__code__


async def _run(resp: SlimeResponse, sending: Coroutine[Any, Any, None]) -> None:
    pid = os.getpid()
    failure: BaseException | None = None
    try:
        await sending
    except BaseException as error:
        # SystemExit and the like as well: it is this response's, and must not end the loop.
        failure = error
    try:
        if os.getpid() != pid:
            end_child(failure)
        resp._end_stream(failure)
        if failure is not None and is_own_cancellation(failure):
            raise failure
    finally:
        # Its traceback has this frame: together they would stay, with the request, until the collector runs.
        del failure


async def _write_async(
    resp: SlimeResponse, writer: BodyWriter, iterable: AsyncPieces, has_no_content: bool, on_begin: OnBegin | None
) -> None:
    """As `_write`, on an event loop."""
    iterator: Any = None
    try:
        if not has_no_content:
            if on_begin is not None:
                on_begin(writer)
            iterator = aiter(iterable)
            async for piece in iterator:
                if not writer.started:
                    writer.start()
                while not writer.try_write(piece):
                    await writer.drain()
    finally:
        # What is left to do may await, also when a write has been the first to see that the client has left.
        resp._begin_end()
        try:
            if iterator is not None and iterator is not iterable:
                await _aclose(iterator)
        finally:
            await _aclose(iterable)


async def _write_in_pool(
    resp: SlimeResponse, writer: BodyWriter, iterable: Pieces, has_no_content: bool, on_begin: OnBegin | None
) -> None:
    """As `_write`, on a thread of the pool. It is over when this is: a task that is cancelled ends the writing."""
    try:
        writing = run_in_threadpool(_write, writer, iterable, has_no_content, on_begin)
    except BaseException:
        close(iterable)
        raise
    await wait_uncancelled(writing, writer.abort)
    writing.result()


async def _send(
    resp: SlimeResponse,
    writer: BodyWriter,
    iterable: Any,
    has_no_content: bool,
    on_begin: OnBegin | None,
    resources: RequestResources | None,
    write: AsyncWrite = _write_async,
) -> None:
    """As `send`, on an event loop."""
    if resources is None:
        await write(resp, writer, iterable, has_no_content, on_begin)
    else:
        pid = os.getpid()
        error: BaseException | None = None
        try:
            await write(resp, writer, iterable, has_no_content, on_begin)
        except GeneratorExit:
            # The loop is gone.
            raise
        except BaseException as raised:
            error = raised
        try:
            if os.getpid() == pid:
                error = await resources._finish_async(error)
            if error is not None:
                raise error
        finally:
            del error
    _complete(writer)


async def _aclose(iterable: object) -> None:
    """Closes an asynchronous generator, or whatever else has a method `aclose` (PEP 525)."""
    method = getattr(iterable, "aclose", None)
    if method is not None:
        await method()
