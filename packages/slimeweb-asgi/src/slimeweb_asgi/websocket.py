"""One WebSocket to an ASGI application.

https://asgi.readthedocs.io/en/latest/specs/www.html#websocket
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidUpgrade
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import OP_BINARY, OP_CONT, OP_PONG, OP_TEXT, Frame
from websockets.http11 import Request
from websockets.protocol import OPEN, SERVER, Protocol
from websockets.server import ServerProtocol

from slimeweb import ClientDisconnected, HttpError, SlimeRequest, SlimeResponse
from slimeweb.header import split_list
from slimeweb.stopping import StopCallbacks
from slimeweb.upgrade import Transport
from slimeweb_asgi.frames import LARGEST, FrameBoundaries, frame_of, message_of

__all__ = ["Session", "is_websocket"]

KEEP_ALIVE = 20.0
"""Seconds between pings, and seconds that a client has for the answer."""
MESSAGE_SIZE = 16 * 1024 * 1024
"""The largest message that is taken, in bytes."""
BACKLOG = 1024 * 1024
"""Bytes of messages that the application has not received yet, beyond which the client is not read."""
CLOSE_TIMEOUT = 10.0
"""Seconds that a client has to answer a close frame, and to take what has been sent before."""
TEXT_AND_BINARY = (OP_TEXT, OP_BINARY, OP_CONT)

Message = dict[str, Any]


def is_websocket(req: SlimeRequest) -> bool:
    """Whether a request asks for a WebSocket (RFC 6455, section 4.2.1)."""
    return req.header.get("upgrade", "").lower() == "websocket" and req.method == "GET"


class Session(asyncio.Protocol):
    """A WebSocket in ASGI's messages. On the event loop of its application, in its callbacks as well."""

    def __init__(self, req: SlimeRequest, resp: SlimeResponse, stop_callbacks: StopCallbacks) -> None:
        self._resp = resp
        self._stop_callbacks = stop_callbacks
        self._loop = asyncio.get_running_loop()
        handshake = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()])
        try:
            fields = Headers((name.decode(), value.decode("latin-1")) for name, value in req.raw_headers)
            self._accept, self._extensions, _ = handshake.process_request(Request(req.path, fields))
        except InvalidUpgrade as error:
            raise HttpError(426, str(error), headers={"Upgrade": "websocket"}) from error
        except InvalidHandshake as error:
            raise HttpError(400, str(error)) from error
        # The head of the request has been read, which a `ServerProtocol` would begin with.
        self._engine = Protocol(SERVER, state=OPEN, max_size=MESSAGE_SIZE)
        self._engine.extensions = handshake.extensions
        self.subprotocols = split_list(",".join(req.header_all("sec-websocket-protocol")))
        self._transport: Transport | None = None
        # Messages, and how long each is.
        self._inbox: deque[tuple[Message, int]] = deque([({"type": "websocket.connect"}, 0)])
        self._waiting = 0
        # What `receive` waits for. Several tasks may, and any of them be cancelled.
        self._receivers: list[asyncio.Future[None]] = []
        # The frames of a message that is not complete. No list of them, which takes more memory than they are long.
        self._partial = bytearray()
        self._denial: list[bytes] = []
        self._is_text = False
        self._is_fragmented = False
        self._boundaries = FrameBoundaries()
        # Whether a message that is one frame may go past the engine, which is at the beginning of a frame then.
        self._is_quick = True
        self._writable = asyncio.Event()
        self._writable.set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._is_reading = True
        self._is_denied = False
        self._is_over = False

    # What the application calls.

    async def receive(self) -> Message:
        """The next message, in the order they came; `websocket.disconnect` once the connection is closed."""
        while not self._inbox:
            receiver = self._loop.create_future()
            self._receivers.append(receiver)
            try:
                await receiver
            except BaseException:
                if receiver in self._receivers:
                    self._receivers.remove(receiver)
                raise
        message, size = self._inbox.popleft()
        if size:
            self._waiting -= size
            if not self._is_reading:
                self._resume_reading()
        elif message["type"] == "websocket.disconnect":
            # It is the answer to every later call as well.
            self._inbox.append((message, 0))
        return message

    async def send(self, message: Message) -> None:
        """Takes a message of the application. `OSError` once the connection is closed."""
        kind, transport = message["type"], self._transport
        if kind == "websocket.send" and transport is not None:
            if self._is_over or self._engine.state is not OPEN:
                raise OSError("the WebSocket is closed")
            data, opcode = message.get("bytes"), OP_BINARY
            if data is None:
                data, opcode = message["text"].encode(), OP_TEXT
            if len(data) <= LARGEST and not self._engine.extensions:
                transport.write(frame_of(opcode, data))
            else:
                send = self._engine.send_text if opcode is OP_TEXT else self._engine.send_binary
                send(data)
                self._flush(transport)
            if not self._writable.is_set():
                await self._writable.wait()
        elif kind == "websocket.accept" and transport is None:
            await self._open(message)
        elif kind == "websocket.close" and not self._is_denied:
            self._close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.http.response.start" and self._transport is None and not self._is_denied:
            self._is_denied = True
            self._resp.set_status(message["status"])
            self._resp.add_raw_headers(message.get("headers", ()))
            self._denial.clear()
        elif kind == "websocket.http.response.body" and self._is_denied:
            self._denial.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._resp.bytes(b"".join(self._denial), content_type=None)
        else:
            raise RuntimeError(f"the ASGI application has sent {kind!r}, which has no place here")

    async def finish(self, code: int = 1000) -> None:
        """The application has returned, or raised (`code` 1011). Waits for the client's close frame."""
        if self._transport is not None:
            self._close(code, "")
            await asyncio.wait([self._closed])
        elif not self._resp.is_set and code == 1000:
            raise RuntimeError("the ASGI application has returned without accepting or closing the WebSocket")

    async def _open(self, message: Message) -> None:
        headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", self._accept)]
        if self._extensions:
            headers.append(("Sec-WebSocket-Extensions", self._extensions))
        if message.get("subprotocol"):
            headers.append(("Sec-WebSocket-Protocol", message["subprotocol"]))
        self._resp.add_raw_headers(message.get("headers", ()))
        try:
            await self._resp.switch_protocol(self, headers)
        except ClientDisconnected as error:
            raise OSError("the client has left") from error

    def _close(self, code: int, reason: str) -> None:
        if self._transport is None:
            self._is_denied = True
            self._resp.plain("Forbidden", status=403)
        elif not self._is_over and self._engine.state is OPEN:
            self._is_quick = False
            self._engine.send_close(code, reason)
            self._flush(self._transport)
            self._after(CLOSE_TIMEOUT, self._transport.abort)

    # What the connection calls.

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """The 101 is out."""
        self._transport = transport
        self._stop_callbacks.add(self.go_away)
        self._after(KEEP_ALIVE, self._ping)

    def data_received(self, data: bytes) -> None:
        """Takes what the client has sent."""
        engine, transport = self._engine, self._transport
        if transport is None or self._is_over:
            return
        if self._is_quick and (message := message_of(data)) is not None:
            self._take_message(message)
            if self._waiting > BACKLOG and self._is_reading:
                self._is_reading = False
                transport.pause_reading()
            return
        self._boundaries.feed(data)
        engine.receive_data(data)
        for frame in engine.events_received():
            self._take(frame)
        has_replied = self._flush(transport)
        # What is sent here answers pings: a client that does not take the answers may not go on asking.
        is_behind = has_replied and not self._writable.is_set()
        is_between = self._boundaries.are_reached and not self._is_fragmented
        self._is_quick = is_between and not self._is_over and engine.state is OPEN
        if self._is_reading and (is_behind or self._waiting > BACKLOG):
            self._is_reading = False
            transport.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more: the connection is closed."""
        self._engine.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, or never came to be."""
        self._end()
        if self._timer is not None:
            self._timer.cancel()
        self._stop_callbacks.discard(self.go_away)
        if not self._closed.done():
            self._closed.set_result(None)
        self.resume_writing()

    def pause_writing(self) -> None:
        """The client is behind: `send` waits."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()
        self._resume_reading()

    def go_away(self) -> None:
        """The server is about to stop. From any thread."""
        if self._transport is not None:
            self._transport.call_soon(self._close, 1001, "")

    def _resume_reading(self) -> None:
        is_ready = self._waiting <= BACKLOG // 4 and self._writable.is_set()
        if is_ready and not self._is_reading and not self._is_over and self._transport is not None:
            self._is_reading = True
            self._transport.resume_reading()

    def _take(self, frame: Any) -> None:
        if not isinstance(frame, Frame) or frame.opcode not in TEXT_AND_BINARY:
            if isinstance(frame, Frame) and frame.opcode == OP_PONG and self._engine.state is OPEN:
                self._after(KEEP_ALIVE, self._ping)
            return
        data: Any = frame.data
        if frame.opcode != OP_CONT:
            self._is_text = frame.opcode == OP_TEXT
        self._is_fragmented = not frame.fin
        if frame.opcode == OP_CONT or not frame.fin:
            self._partial += data
            if not frame.fin:
                return
            data = bytes(self._partial)
            self._partial.clear()
        if not self._is_text:
            self._take_message(bytes(data))
            return
        try:
            self._take_message(str(data, "utf-8"))
        except UnicodeDecodeError:
            self._engine.fail(1007, "text that is not UTF-8")

    def _take_message(self, message: str | bytes) -> None:
        size = len(message)
        self._waiting += size
        self._put({"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}, size)

    def _put(self, message: Message, size: int = 0) -> None:
        self._inbox.append((message, size))
        for receiver in self._receivers:
            if not receiver.done():
                receiver.set_result(None)
        self._receivers.clear()

    def _flush(self, transport: Transport) -> bool:
        """Sends what the engine has to send: whether that was anything."""
        pending = self._engine.data_to_send()
        for data in pending:
            if data:
                transport.write(data)
            else:
                # The end of what the server sends: both sides have closed, or the client has broken the protocol.
                transport.close()
                self._after(CLOSE_TIMEOUT, transport.abort)
                self._end()
        return bool(pending)

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            closed = self._engine.close_rcvd
            # 1006 stands for a connection that has ended without a close frame (RFC 6455, section 7.1.5).
            code, reason = (1006, "") if closed is None else (closed.code, closed.reason)
            self._put({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _ping(self) -> None:
        if self._transport is not None and self._engine.state is OPEN:
            self._engine.send_ping(b"")
            self._flush(self._transport)
            self._after(KEEP_ALIVE, self._transport.abort)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        """What happens unless the client does what it has to first: one thing at a time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, act)
