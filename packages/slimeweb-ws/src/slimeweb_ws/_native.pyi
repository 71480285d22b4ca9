"""WebSocket connections as protocol objects, rooms of them, and the frames of a client."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from slimeweb_ws.listener import Event, Listener

__all__ = [
    "BATCH",
    "ClientFrames",
    "CloseEvent",
    "Connection",
    "ErrorEvent",
    "OpenEvent",
    "Owed",
    "Room",
    "__version__",
]

__version__: str
BATCH: Final[int]
"""How many callbacks run in a row before their thread, or loop, is released to others."""

@final
class ClientFrames:
    """The frames that a client reads and writes, without compression. Usable from any thread; what is decoded has one
    order only where one thread at a time decodes. A `mask` is 4 bytes that nobody can foresee.
    """

    def __new__(cls, max_message_size: int) -> ClientFrames: ...
    def decode(self, data: bytes) -> list[tuple[str, Any]]:
        """What has come with these bytes, in order: `("message", str or bytes)`, `("ping", bytes)`, `("pong", bytes)`,
        `("close", (code, reason))`, where the code 1005 stands for none. `ValueError` where the server has broken the
        protocol.
        """

    @staticmethod
    def message(data: str | bytes, mask: bytes) -> bytes:
        """A message as one frame. `TypeError` for another type."""

    @staticmethod
    def pong(payload: bytes, mask: bytes) -> bytes:
        """A pong."""

    @staticmethod
    def close(code: int, reason: str, mask: bytes) -> bytes:
        """A close frame. `ValueError` for a code that must not be sent, or a reason of more than 123 bytes."""

@final
class OpenEvent:
    """The connection is open."""

@final
class ErrorEvent:
    """The client has broken the protocol, or a limit; its connection is being closed with `code`."""

    @property
    def code(self) -> int:
        """The close code that says what was wrong (RFC 6455, section 7.4.1): 1002, 1007 or 1009."""

    @property
    def detail(self) -> str:
        """What was wrong, in words."""

@final
class CloseEvent:
    """The connection has ended: the last event."""

@final
class Connection:
    """A WebSocket connection, from its 101 on: a protocol object in the terms of `asyncio.Protocol`.

    It has messages given to sync callbacks by itself (`run_callbacks`, through the transport's `call_plain`), and
    leaves everything else to its listener.

    `listener` has `callbacks` (`slimeweb_ws.callbacks.Callbacks`) and six methods. Called in the transport's loop
    thread: `opened(transport)`; `ready()` when there is something to take, no thread is taking and the connection has
    not scheduled one; `closing()` when the closing handshake has begun and may be timed from there; `close_deferred()`
    when the client has begun it while events wait for callbacks: `answer_close` follows when they have been taken, or
    before; `lost()`. Called in the thread that runs callbacks: `resume(called, event, failure)` with what `dispatch`
    says, where there is more to do.

    Sizes are in bytes. `max_message_size`: how long a message may be, all its fragments together and decompressed; a
    longer one closes the connection with 1009. `send_buffer`: how much may wait for the client before `send` says
    False. `offers`: the members of the request's `Sec-WebSocket-Extensions`, each a name and its parameters; none to go
    without compression. `context_takeover`, `level` (1 to 9) and `threshold` (shorter messages are sent as they are):
    how messages are compressed where one of the offers can be met (RFC 7692).

    Every method may be called from any thread, unless it says otherwise.
    """

    def __new__(
        cls,
        listener: Listener,
        *,
        max_message_size: int,
        send_buffer: int,
        offers: Sequence[tuple[str, Sequence[tuple[str, str | None]]]],
        context_takeover: bool,
        level: int,
        threshold: int,
    ) -> Connection: ...
    @property
    def extension(self) -> str | None:
        """The value of the 101's `Sec-WebSocket-Extensions`; None where no compression was agreed upon."""

    def connection_made(self, transport: Any) -> None:
        """The 101 is out: keeps the transport, sends what has been queued, and calls the listener's `opened`. In the
        loop's thread.
        """

    def data_received(self, data: bytes) -> None:
        """Decodes what the client has sent: answers its pings and closes, and queues its messages for callbacks. In the
        loop's thread. With too much undecoded it pauses the transport's reading.
        """

    def eof_received(self) -> bool:
        """The client sends no more. True where the transport is to stay open, for what is still due to a client that
        has closed, or may have in what is not decoded yet. In the loop's thread.
        """

    def connection_lost(self, exc: object = None) -> None:
        """The connection is gone, whatever `exc` says of it: leaves its rooms, wakes those who wait for room to send,
        and calls the listener's `lost`. In the loop's thread. Events that wait can still be taken; a `CloseEvent`
        follows them.
        """

    def pause_writing(self) -> None:
        """Does nothing: the connection asks the transport itself, since this comes too late for a sender in another
        thread.
        """

    def resume_writing(self) -> None:
        """Sends what waits, now that the transport has room. In the loop's thread."""

    def notify_open(self) -> None:
        """Queues an `OpenEvent`. In the loop's thread."""

    def take(self) -> Event | None:
        """The next event: a message, `str` or `bytes`; an `OpenEvent`; an `ErrorEvent`; a `CloseEvent`, the last.

        None: there is none for now, and the listener's `ready` will be called for the next one. By one thread at a
        time.
        """

    def dispatch(self, most: int) -> tuple[int, Event | None, BaseException | None]:
        """Takes messages and calls the sync function of `callbacks.message` with each: `most` times at most, and until
        there is something else to do.

        Returns how often it has called, the event that it has taken beyond that (as `take` has it), and what the
        function has raised, if it has: `(2, None, None)` after two messages with nothing behind them. By one thread at
        a time.
        """

    def run_callbacks(self) -> None:
        """Calls sync callbacks with at most `BATCH` messages, in a thread where they may wait. The listener's `resume`
        goes on where there is more to do.
        """

    def decode_on(self) -> None:
        """Decodes what has had to wait for callbacks, and lets the transport read again. In the loop's thread."""

    def send(self, data: str | bytes) -> bool:
        """Queues a message, text for `str` and binary for `bytes`. False: `send_buffer` is full, or the connection is
        closed. `TypeError` for anything else.
        """

    def ping(self, payload: bytes | None = None) -> bool:
        """Queues a ping (RFC 6455, section 5.5.2); without `payload` an empty one. False as `send` has it. `ValueError`
        for more than 125 bytes.
        """

    def close(self, code: int, reason: str = "") -> bool:
        """Begins the closing handshake, after what has been queued. False when it has begun already, or the connection
        is gone.

        `ValueError` for a code that must not be sent (RFC 6455, section 7.4) or a reason of more than 123 bytes in
        UTF-8.
        """

    def answer_close(self) -> None:
        """Answers the client's close frame with its code, once, and ends the connection when that and all before it is
        out.
        """

    def abort(self) -> None:
        """Ends the connection without a handshake. What is queued is lost."""

    def discard(self) -> None:
        """Lets go of the listener and the rooms: for a connection that will not open after all."""

    def wait_writable(self) -> None:
        """Waits until another message may be queued or the connection is closed. Not on an event loop's thread."""

    def notify_writable(self, callback: Callable[[], object]) -> bool:
        """Has `callback` called without arguments, in the loop's thread, once another message may be queued or the
        connection is gone. False when there is room already, or never will be: it is not called then.
        """

    def forget_writable(self, callback: Callable[[], object]) -> None:
        """Takes back what `notify_writable` was given, if it has not been called."""

    @property
    def is_closed(self) -> bool:
        """Whether messages cannot be sent any more: the closing handshake has begun, or the connection is gone."""

    @property
    def is_lost(self) -> bool:
        """Whether the connection is gone."""

    @property
    def buffered(self) -> int:
        """Bytes queued that the transport has not been given."""

    @property
    def is_held(self) -> bool:
        """Whether reading has stopped until callbacks have caught up."""

    @property
    def pending_events(self) -> int:
        """How many messages and other events wait for callbacks to take them."""

    def seconds_since_data(self) -> float:
        """Seconds since any bytes arrived, or since the opening."""

    def seconds_since_message(self) -> float:
        """Seconds since a message arrived, or since the opening."""

    @property
    def close_code(self) -> int | None:
        """The close code: the client's, else our own, else 1006 where the connection is gone without a closing
        handshake, else None. 1005: a close frame without a code.
        """

    @property
    def close_reason(self) -> str:
        """The text that came with the close code; empty where there is none."""

@final
class Owed:
    """A broadcast that waits for room in the queue of one client."""

    def offer(self) -> bool | None:
        """Queues it where there is room. True: it is queued. False: the client takes no messages any more. None: there
        is no room yet.
        """

    def notify(self, callback: Callable[[], object]) -> bool:
        """Has `callback` called without arguments, in the loop's thread, once there is room or the connection is gone.
        False when there is room already, or never will be: it is not called then.
        """

    def forget(self, callback: Callable[[], object]) -> None:
        """Takes back what `notify` was given, if it has not been called."""

@final
class Room:
    """Connections that are sent the same messages, each encoded once. A connection leaves by itself when it is lost.

    Every method may be called from any thread. `len(room)` is how many connections are in it.
    """

    def __len__(self) -> int: ...
    def __contains__(self, connection: object, /) -> bool: ...
    def join(self, connection: Connection) -> bool:
        """Adds a connection, open or about to be. False when it is gone already."""

    def leave(self, connection: Connection) -> bool:
        """Removes a connection. False when it was not in the room."""

    def broadcast(
        self,
        data: str | bytes,
        *,
        policy: str,
        limit: int,
        exclude: Connection | None = None,
    ) -> int:
        """Sends a message to everyone in the room but `exclude`: text for `str`, binary for `bytes`. Returns how many
        clients it was queued for.

        `limit` is how many bytes may wait for one client. Beyond that, `policy` says what becomes of the client:
        `"drop_oldest"` forgets its oldest waiting broadcasts, `"close"` closes its connection with 1013, `"block"`
        waits for it, after everyone else has been sent to: not on an event loop's thread. `ValueError` for another
        policy, `TypeError` for another type.
        """

    def offer(self, data: str | bytes, *, limit: int, exclude: Connection | None = None) -> tuple[int, list[Owed]]:
        """As `broadcast` with the policy `"block"`, but waits for nobody: returns how many it was queued for, and what
        the others are owed.
        """

    def close_all(self, code: int, reason: str = "") -> int:
        """Begins the closing handshake of every connection in the room. Returns how many were open. `ValueError` as for
        `Connection.close`.
        """
