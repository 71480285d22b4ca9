"""The response object of a WebSocket route: an open connection, as its handler sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from slimeweb import ClientDisconnected, SlimeResponse
from slimeweb.json import to_json
from slimeweb.routing import RouteResponse
from slimeweb_ws.callbacks import Callbacks, Checks
from slimeweb_ws.errors import ConnectionClosed, SendQueueFull
from slimeweb_ws.event_loop import is_on_event_loop, wait_for_room
from slimeweb_ws.listener import MESSAGE
from slimeweb_ws.receiver import Receiver
from slimeweb_ws.session import Session

__all__ = ["Sent", "WebSocketResponse", "as_message"]

F = TypeVar("F", bound=Callable[..., Any])


class Sent:
    """What sending gives: on an event loop, `await` it to go on when the client has kept up."""

    __slots__ = ("_response",)

    def __init__(self, response: WebSocketResponse) -> None:
        self._response = response

    def __await__(self) -> Generator[Any, None, None]:
        return self._response.drain().__await__()


class WebSocketResponse(RouteResponse):
    """One connection. A coroutine handler may await `accept()`, and take the messages itself:

        await resp.accept()
        async for message in resp:
            await resp.send(message)

    Any other registers callbacks; they run after the handler has returned and the connection is open. What is sent
    before that goes out then.

    Callbacks are plain or coroutine functions, and no two of one connection overlap. Every method may be called from
    any thread. Until the handler returns, the methods of an ordinary response are there too: headers and cookies go
    out with the 101, and an answer (`resp.plain("no", status=403)`) refuses the connection.
    """

    def __init__(
        self,
        identity: str,
        session: Session,
        subprotocol: str | None,
        http: SlimeResponse,
        checks: Checks,
        switch: Callable[[], Awaitable[object]] | None,
    ) -> None:
        self._checks = checks
        self._switch = switch
        self._id = identity
        self._session = session
        self._connection = session.connection
        self._subprotocol = subprotocol
        self._http: SlimeResponse | None = http
        self._sent = Sent(self)
        self._receiver: Receiver | None = None

    @property
    def id(self) -> str:
        """A name that no other connection has."""
        return self._id

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was chosen (RFC 6455, section 1.9)."""
        return self._subprotocol

    @property
    def close_code(self) -> int | None:
        """Why the connection is closed (RFC 6455, section 7.4): the client's code, else ours, else 1006 for none at
        all. 1005: closed without a code. `None`: neither has closed it.
        """
        return self._connection.close_code

    @property
    def close_reason(self) -> str:
        """The text that came with the close code."""
        return self._connection.close_reason

    @property
    def buffered(self) -> int:
        """How many bytes wait because the client does not read them."""
        return self._connection.buffered

    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._connection.is_closed

    def accept(self) -> Awaitable[None]:
        """Opens the connection: for coroutine handlers, which await it. Messages are received by `async for`, or by
        `receive()`, from then on; the connection is closed when the handler ends, with 1000, or 1011 where it raises.

        `ClientDisconnected` where the client has left before. `RuntimeError` in a plain handler, a second time, and
        where callbacks have been registered.
        """
        if self._switch is None:
            raise RuntimeError(
                "resp.accept() is awaited, which a plain handler cannot do: make it 'async def', or register callbacks "
                "by resp.on_message(…)"
            )
        if self._http is None or self._receiver is not None:
            raise RuntimeError("the connection has been accepted already")
        self._receiver = self._session.receive()
        return self._accept(self._switch)

    async def _accept(self, switch: Callable[[], Awaitable[object]]) -> None:
        await switch()
        self._handler_returned()

    async def receive(self) -> str | bytes:
        """The next message, of a connection that the handler has accepted: `str` for text, `bytes` for binary.
        Messages that nobody receives stop the client.

        `ConnectionClosed`, with code and reason, once it is closed and all messages have been received. `RuntimeError`
        before `accept()`, and while another task receives.
        """
        if self._receiver is None or self._http is not None:
            raise RuntimeError("the connection is not open: call 'await resp.accept()' first")
        return await self._receiver.receive()

    def __aiter__(self) -> WebSocketResponse:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    def on_open(self, handler: F) -> F:
        """Calls `handler()` once the connection is open. `InvalidHandler` for one that cannot be called so."""
        self._callbacks().open = self._checks.check("on_open", handler)
        return handler

    def on_message(self, handler: F) -> F:
        """Calls `handler(message)` for each message: `str` for text, `bytes` for binary. `InvalidHandler` as above."""
        self._callbacks().message = self._checks.check("on_message", handler, "message")
        return handler

    def on_close(self, handler: F) -> F:
        """Calls `handler()` once, last, however the connection ends. `InvalidHandler` as above."""
        self._callbacks().close = self._checks.check("on_close", handler)
        return handler

    def on_error(self, handler: F) -> F:
        """Calls `handler(error)` with what a callback raised, or with a `ProtocolError` when the client broke the
        protocol. Without it the former is logged and closes the connection with 1011. `InvalidHandler` as above.
        """
        self._callbacks().error = self._checks.check("on_error", handler, "error")
        return handler

    def send(self, data: Any) -> Sent:
        """Sends a message: text for `str`, binary for bytes, anything else as JSON text.

        While more than `send_buffer` bytes wait for the client, a thread waits here; on an event loop, `await` what
        this returns. `ClientDisconnected` when the connection is closed, `SendQueueFull` on an event loop that does
        not wait, `TypeError` or `ValueError` for what JSON cannot hold.
        """
        # The usual case of as_message and _put in place: two more calls in Python take as long as sending does.
        message = data if isinstance(data, MESSAGE) else as_message(data)
        return self._sent if self._connection.send(message) else self._put(message)

    def send_text(self, data: Any) -> Sent:
        """Sends a text message: `data` as `str(data)`, bytes as UTF-8. Raises as `send` does."""
        return self._put(bytes(data).decode() if isinstance(data, bytes | bytearray | memoryview) else str(data))

    def send_bytes(self, data: Any) -> Sent:
        """Sends a binary message: bytes as they are, anything else as `str(data)` in UTF-8. Raises as `send` does."""
        return self._put(bytes(data) if isinstance(data, bytes | bytearray | memoryview) else str(data).encode())

    def send_json(self, data: Any) -> Sent:
        """Sends JSON text. Raises as `send` does."""
        return self._put(to_json(data).decode())

    def ping(self, payload: bytes = b"") -> bool:
        """Sends a ping of at most 125 bytes. False when the connection is closed, or too much waits for the client."""
        return self._connection.ping(payload)

    def close(self, code: int = 1000, reason: str = "") -> bool:
        """Begins the closing handshake, after what has been sent. False when it has begun already.

        `ValueError` for a code that must not be sent (RFC 6455, section 7.4) or a reason above 123 bytes.
        """
        return self._connection.close(code, reason)

    async def drain(self) -> None:
        """Waits until less than `send_buffer` bytes wait for the client. `ClientDisconnected` when it has gone."""
        await wait_for_room(self._connection.notify_writable, self._connection.forget_writable)
        if self._connection.is_lost:
            raise _gone()

    def _put(self, message: str | bytes) -> Sent:
        connection = self._connection
        while not connection.send(message):
            if connection.is_closed:
                raise _gone()
            if self._http is not None:
                raise SendQueueFull(
                    "this is more than can wait for a connection that is not open yet: send it from resp.on_open"
                )
            if is_on_event_loop():
                raise SendQueueFull(
                    "the client reads more slowly than it is sent to: `await resp.send(…)`, which waits for it"
                )
            connection.wait_writable()
        return self._sent

    def _callbacks(self) -> Callbacks:
        if self._receiver is not None:
            raise RuntimeError(
                "the handler has accepted the connection, and so takes the messages itself: no callbacks are called"
            )
        return self._session.callbacks

    @property
    def _is_accepted(self) -> bool:
        return self._receiver is not None and (self._http is None or self._session.is_open)

    def _handler_returned(self) -> None:
        """The handler has returned: the methods of the ordinary response are gone from here on."""
        self._http = None

    def __getattr__(self, name: str) -> Any:
        http = None if name.startswith("_") else self._http
        if http is None:
            raise AttributeError(f"a WebSocket response has no attribute {name!r}", name=name, obj=self)
        return getattr(http, name)

    def __repr__(self) -> str:
        return f"<WebSocketResponse {self._id}>"


def as_message(data: Any) -> str | bytes:
    """Data as a message: text, bytes, or JSON text for anything else."""
    if isinstance(data, MESSAGE):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    return to_json(data).decode()


def _gone() -> ClientDisconnected:
    return ClientDisconnected("the WebSocket connection is closed: ask resp.is_closed() first")
