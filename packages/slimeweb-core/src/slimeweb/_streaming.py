"""The iteration over what `resp.stream` was given."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

from slimeweb._cancellation import is_own_cancellation
from slimeweb._core import BodyWriter, SlimeResponse
from slimeweb._forking import end_child

__all__ = ["close", "is_stream", "send", "start"]


OnBegin = Callable[[BodyWriter], object]


def send(
    writer: BodyWriter, iterable: Iterable[bytes | str], has_no_content: bool, on_begin: OnBegin | None = None
) -> None:
    """Writes the pieces, as fast as the client takes them. The head goes out with the first, or at the end where there
    is none; without content, at once. `on_begin` is called ahead of the first.
    """
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
        if not writer.started:
            writer.start()
        writer.close()
    finally:
        try:
            # What an iterable makes for one iteration ends with that.
            if iterator is not None and iterator is not iterable:
                close(iterator)
        finally:
            close(iterable)


def close(iterable: object) -> None:
    """Closes a generator, or whatever else has a method `close` (PEP 342, PEP 3333)."""
    method = getattr(iterable, "close", None)
    if method is not None:
        method()


def start(
    resp: SlimeResponse,
    writer: BodyWriter,
    iterable: AsyncIterable[bytes | str],
    has_no_content: bool,
    on_begin: OnBegin | None = None,
) -> asyncio.Task[None]:
    """Starts a task of the running loop that writes the pieces, and ends the response."""
    loop = asyncio.get_running_loop()
    coroutine = _run(resp, writer, iterable, has_no_content, on_begin)
    if sys.version_info >= (3, 12):
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)


def is_stream(coroutine: object) -> bool:
    """Whether it is that of a task that `start` has started."""
    return getattr(coroutine, "cr_code", None) is _run.__code__


async def _run(
    resp: SlimeResponse,
    writer: BodyWriter,
    iterable: AsyncIterable[bytes | str],
    has_no_content: bool,
    on_begin: OnBegin | None,
) -> None:
    pid = os.getpid()
    failure: BaseException | None = None
    try:
        await _send(writer, iterable, has_no_content, on_begin)
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


async def _send(
    writer: BodyWriter, iterable: AsyncIterable[bytes | str], has_no_content: bool, on_begin: OnBegin | None
) -> None:
    """As `send`, on an event loop."""
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
        if not writer.started:
            writer.start()
        writer.close()
    finally:
        try:
            if iterator is not None and iterator is not iterable:
                await _aclose(iterator)
        finally:
            await _aclose(iterable)


async def _aclose(iterable: object) -> None:
    """Closes an asynchronous generator, or whatever else has a method `aclose` (PEP 525)."""
    method = getattr(iterable, "aclose", None)
    if method is not None:
        await method()
