"""One connection and its callbacks: who runs them, where, and one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable, Sequence
from typing import Any

from slimeweb import ClientDisconnected
from slimeweb_ws._native import BATCH, CloseEvent, Connection, ErrorEvent, OpenEvent
from slimeweb_ws.callbacks import Callback, Callbacks
from slimeweb_ws.connections import Connections
from slimeweb_ws.errors import ConnectionClosed, ProtocolError
from slimeweb_ws.handshake import Offer
from slimeweb_ws.keepalive import KeepAlive
from slimeweb_ws.listener import MESSAGE, Event, Transport
from slimeweb_ws.options import WebSocketOptions
from slimeweb_ws.receiver import Receiver

__all__ = ["Session"]

_logger = logging.getLogger("slimeweb.ws")

_GOING_AWAY = 1001
_LAST_REPLIES = 1.0
"""How many seconds a callback has to answer what came before the client's close."""
_RETRY = 0.02
"""Seconds after which a full pool is tried again."""


class Session:
    """Listens to a connection and calls back: plain functions as plain handlers are called, in the pool or on the
    worker's thread; coroutine functions as one task on the connection's loop. The thread or task that is active takes
    one event after the other, and passes on where the next callback is sync instead of async or the reverse, so that no
    two overlap and their order is that of the messages. The connection itself calls plain functions with messages, and
    `resume` where there is more to do.
    """

    __slots__ = (
        "_connections",
        "_context",
        "_deferred_close",
        "_end",
        "_keep_alive",
        "_loop",
        "_options",
        "_report",
        "_task",
        "_transport",
        "_where",
        "callbacks",
        "connection",
        "receiver",
    )

    def __init__(
        self,
        where: str,
        options: WebSocketOptions,
        max_message_size: int,
        offers: Sequence[Offer],
        connections: Connections,
        report: Callable[[BaseException], None] | None,
    ) -> None:
        """`where` names the route in the log. `connections` is told when this one opens, and when it is over. `report`
        is given what callbacks raise.
        """
        # Callbacks see what the handler and the middleware around it have set.
        self._context = contextvars.copy_context()
        self.callbacks = Callbacks(self._context.run)
        self.connection = Connection(
            self,
            max_message_size=max_message_size,
            send_buffer=options.send_buffer,
            offers=offers,
            context_takeover=options.context_takeover,
            level=options.deflate_level,
            threshold=options.deflate_threshold,
        )
        self._where = where
        self._report = report
        self._options = options
        self._connections = connections
        self._transport: Transport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keep_alive: KeepAlive | None = None
        self._end: asyncio.TimerHandle | None = None
        self._deferred_close: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.receiver: Receiver | None = None
        """Takes the events, where the handler has accepted the connection: none go to callbacks."""

    def receive(self) -> Receiver:
        """From here on the handler takes the events. `RuntimeError` where it has registered callbacks."""
        if self.callbacks.has_any:
            raise RuntimeError(
                "resp.accept() and callbacks do not go together: receive by 'async for message in resp', or leave "
                "out accept() and have resp.on_message and the like called"
            )
        self.receiver = Receiver(self.connection, self._drop)
        return self.receiver

    @property
    def is_open(self) -> bool:
        """Whether the 101 is out, and not all events have been taken."""
        return self._transport is not None

    def give_up(self) -> None:
        """The handler that has accepted the connection has been cancelled: closes it, and waits for nothing."""
        self._task = asyncio.get_running_loop().create_task(self.finish(_GOING_AWAY, ""))

    async def finish(self, code: int, reason: str) -> None:
        """The handler that has accepted the connection is done: closes it, and waits until it is closed. What still
        comes is passed over.
        """
        self.connection.close(code, reason)
        if self.receiver is not None and self.is_open:
            # A task of the handler's may still be receiving.
            self.receiver.stop()
            self.receiver = Receiver(self.connection, self._drop)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.receiver.receive()

    def report(self, error: BaseException) -> None:
        """Shows what the application has raised to those who want to know."""
        if self._report is not None:
            self._report(error)

    # What the connection calls, in the loop's thread.

    def opened(self, transport: Transport) -> None:
        """The 101 is out."""
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._keep_alive = KeepAlive(self._loop, self.connection, self._options)
        if self.callbacks.open is not None:
            self.connection.notify_open()
        self._connections.opened(self.go_away)
        if self.connection.is_closed:
            self.closing()

    def go_away(self) -> None:
        """The server is about to stop. From any thread."""
        self.connection.close(_GOING_AWAY)

    def ready(self) -> None:
        """There is something to take, and the connection has not found a thread by itself."""
        if self.receiver is not None:
            self.receiver.ready()
            return
        message = self.callbacks.message
        if message is not None and message.is_async:
            self._in_loop(None)
        else:
            self._call(None)

    def closing(self) -> None:
        """A close frame is on its way: the client has so long to answer it."""
        if self._loop is not None and self._end is None and not self.connection.is_lost:
            self._end = self._loop.call_later(self._options.close_timeout, self.connection.abort)

    def close_deferred(self) -> None:
        """The client has closed while events wait for callbacks: they may be answered for a while."""
        if self._keep_alive is not None:
            # Nothing comes from the client any more, and it does not answer pings.
            self._keep_alive.stop()
        if self._loop is not None and self._deferred_close is None:
            self._wait_for_replies(self._loop, self._loop.time() + self._options.close_timeout)

    def _wait_for_replies(self, loop: asyncio.AbstractEventLoop, end: float) -> None:
        """Has the client's close answered when no callback returns for `_LAST_REPLIES`, and at `end` at the latest."""
        pending = self.connection.pending_events

        def look() -> None:
            if self.connection.pending_events < pending and loop.time() < end:
                self._wait_for_replies(loop, end)
            else:
                self.connection.answer_close()

        self._deferred_close = loop.call_later(min(_LAST_REPLIES, max(end - loop.time(), 0)), look)

    def lost(self) -> None:
        """The connection is gone, or will never be there."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        if self._keep_alive is not None:
            self._keep_alive.stop()
        for timer in (self._end, self._deferred_close):
            if timer is not None:
                timer.cancel()

    # Running callbacks.

    def _call(self, event: Event | BaseException | None) -> None:
        """In the loop's thread: goes on with plain functions, as soon as there is a thread for them."""
        if self._loop is None:
            return
        if self._transport is not None and self._transport.call_plain(self._run, event):
            return
        if self.connection.is_lost:
            # The pool may be closed for good, or the connection was lost before it had a transport: the last callbacks
            # are to run all the same.
            self._loop.run_in_executor(None, self._run, event)
        else:
            self._loop.call_later(_RETRY, self._call, event)

    def _in_loop(self, event: Event | BaseException | None) -> None:
        """In the loop's thread: goes on as a task."""
        if self._loop is not None:
            self._task = self._loop.create_task(self._run_async(event), context=self._context)

    def resume(self, called: int, event: Event | None, failure: BaseException | None) -> None:
        """The connection has called a plain function, where waiting is allowed, and leaves the rest to its session."""
        if failure is not None:
            self._run(self._settle(None, self.callbacks.message, failure), called)
        else:
            self._run(event, called)

    def _run(self, event: Event | BaseException | None, called_so_far: int = 0) -> None:
        """Calls plain callbacks, where waiting is allowed."""
        while True:
            if called_so_far >= BATCH:
                called_so_far = 0
                if self._transport is not None and self._transport.call_plain(self._run, event):
                    return
            if event is None:
                called, event, failure = self.connection.dispatch(BATCH - called_so_far)
                called_so_far += called
                if failure is not None:
                    event = self._settle(event, self.callbacks.message, failure)
                elif event is None:
                    return
            else:
                callback, arguments = self._choose(event)
                if callback is None:
                    self._drop(event)
                    event = None
                    continue
                if callback.is_async:
                    if self._loop is not None:
                        self._loop.call_soon_threadsafe(self._in_loop, event)
                    return
                failure = None
                try:
                    self._context.run(callback.function, *arguments)
                except BaseException as error:
                    failure = error
                event = self._settle(event, callback, failure)
                called_so_far += 1

    async def _run_async(self, event: Event | BaseException | None) -> None:
        """Awaits coroutine callbacks, as a task."""
        called_so_far = 0
        while event is not None or (event := self.connection.take()) is not None:
            callback, arguments = self._choose(event)
            if callback is None:
                self._drop(event)
                event = None
                continue
            if not callback.is_async:
                # Not before this step is over: until then the context is entered here, and it cannot be twice.
                loop = asyncio.get_running_loop()
                loop.call_soon(self._call, event, context=contextvars.Context())
                return
            failure: BaseException | None = None
            try:
                await callback.function(*arguments)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                failure = error
            except BaseException as error:
                failure = error
            event = self._settle(event, callback, failure)
            called_so_far += 1
            if called_so_far >= BATCH:
                called_so_far = 0
                await asyncio.sleep(0)
        self._task = None

    def _choose(self, event: Event | BaseException) -> tuple[Callback | None, tuple[Any, ...]]:
        """The callback of an event, and its arguments."""
        if isinstance(event, MESSAGE):
            return self.callbacks.message, (event,)
        if isinstance(event, BaseException):
            return self.callbacks.error, (event,)
        match event:
            case ErrorEvent():
                return self.callbacks.error, (ProtocolError(event.code, event.detail),)
            case OpenEvent():
                return self.callbacks.open, ()
            case _:
                return self.callbacks.close, ()

    def _settle(
        self, event: Event | BaseException | None, callback: Callback | None, failure: BaseException | None
    ) -> BaseException | None:
        """The next event after a callback: `on_error` is called for the failure of any other callback."""
        if isinstance(event, CloseEvent):
            self._release()
        if failure is None or (isinstance(failure, ClientDisconnected) and self.connection.is_closed):
            return None
        self.report(failure)
        if callback is not self.callbacks.error and self.callbacks.error is not None:
            return failure
        _logger.error("%s: a callback failed", self._where, exc_info=failure)
        self.connection.close(1011, "internal error")
        return None

    def _drop(self, event: Event | BaseException) -> None:
        """Handles an event that has no callback."""
        match event:
            case CloseEvent():
                self._release()
            case ErrorEvent():
                # The client's fault, which is no error of the application: INFO.
                _logger.info("%s: closed with %d: %s", self._where, event.code, event.detail)

    def _release(self) -> None:
        """After the last callback: the transport leads back to this session, and only we know that it is over."""
        opened, self._transport = self._transport is not None, None
        self._keep_alive = self._end = self._deferred_close = None
        if opened:
            self._connections.ended(self.go_away)
