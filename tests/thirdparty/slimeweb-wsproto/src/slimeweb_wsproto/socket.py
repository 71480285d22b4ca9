"""A WebSocket (RFC 6455), as its handler sees it and as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from slimeweb import ClientDisconnected

__all__ = ["WebSocket"]

AHEAD = 16
"""Messages that may wait for the handler before the client is held back."""


class WebSocket:
    """`async for message in socket` and `await socket.send(message)`: `str` or `bytes`."""

    def __init__(self) -> None:
        self._wire = Connection(ConnectionType.SERVER)
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._parts: list[Any] = []
        self._room = asyncio.Event()
        self._room.set()
        self.close_code: int | None = None
        """That of the client's close; 1006 where the connection was lost without one (section 7.4.1)."""

    # For the handler.

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while (message := await self._messages.get()) is not None:
            if self._messages.qsize() < AHEAD:
                self._transport.resume_reading()
            yield message

    async def send(self, message: str | bytes) -> None:
        """Sends a message, once there is room for it. `ClientDisconnected` where there is nobody to send it to."""
        await self._room.wait()
        if self._wire.state is not ConnectionState.OPEN or self._transport.is_closing():
            raise ClientDisconnected
        event = TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message)
        self._transport.write(self._wire.send(event))

    def close(self, code: int) -> None:
        """Says goodbye, unless that has been said. On the handler's loop."""
        if self._wire.state is ConnectionState.OPEN:
            self._transport.write(self._wire.send(CloseConnection(code=code)))

    def close_soon(self, code: int) -> None:
        """The same, from any thread: the handler's loop ends with it."""
        self._transport.call_soon(self._end, code)

    def _end(self, code: int) -> None:
        self.close(code)
        self._messages.put_nowait(None)

    # For the server.

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._wire.receive_data(data)
            for event in self._wire.events():
                self._take(event)
        except RemoteProtocolError as error:
            self._transport.write(self._wire.send(error.event_hint or CloseConnection(code=1002)))
            self._finish(1002)
        except LocalProtocolError:
            # What comes after the close.
            self._finish(self.close_code or 1006)

    def _take(self, event: Any) -> None:
        if isinstance(event, Ping):
            self._transport.write(self._wire.send(event.response()))
        elif isinstance(event, CloseConnection):
            if self._wire.state is ConnectionState.REMOTE_CLOSING:
                self._transport.write(self._wire.send(event.response()))
            self._finish(event.code)
        elif isinstance(event, TextMessage | BytesMessage):
            self._parts.append(event.data)
            if event.message_finished:
                message = self._parts[0][:0].join(self._parts) if self._parts else event.data
                self._parts.clear()
                self._messages.put_nowait(message)
                if self._messages.qsize() >= AHEAD:
                    self._transport.pause_reading()

    def _finish(self, code: int) -> None:
        if self.close_code is None:
            self.close_code = code
            self._messages.put_nowait(None)

    def eof_received(self) -> bool | None:
        return None

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.set()
        self._finish(1006)
