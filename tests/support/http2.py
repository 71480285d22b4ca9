"""An HTTP/2 client on the h2 library, one connection, with its flow control in the test's hands."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from hyperframe.frame import GoAwayFrame

from support.wire import Answer

__all__ = ["Http2", "PatientConnection", "Reset", "tls_to"]


class Reset(Exception):
    """The server reset a stream, or ended the connection with an error. `code`: RFC 9113, section 7."""

    def __init__(self, code: int) -> None:
        try:
            name = ErrorCodes(code).name
        except ValueError:
            name = hex(code)
        super().__init__(name)
        self.code = code


def tls_to(host: str, port: int, protocols: list[str], *, timeout: float = 15.0) -> ssl.SSLSocket:
    """A TLS connection that offers `protocols` by ALPN and takes any certificate."""
    # Without the system's certificates, which take long to load.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    sock = socket.create_connection((host, port), timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_hostname="localhost")


class PatientConnection(H2Connection):
    """To the h2 library a connection is over when GOAWAY comes. Its streams go on (RFC 9113, section 6.8)."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> Any:
        unsent = self._data_to_send.copy()
        received = super()._receive_goaway_frame(frame)
        if not frame.error_code:
            self._data_to_send[:0] = unsent
            self.state_machine.state = ConnectionState.CLIENT_OPEN
        return received


class Http2:
    """Sends requests and reads responses. Every wait ends with TimeoutError after `timeout` seconds.

    Windows are given back as data comes, unless `reads` is False: then the server may send what the initial windows
    allow, and no more. `validate` is False for requests that the h2 library would refuse to send.
    """

    def __init__(self, sock: socket.socket, *, reads: bool = True, validate: bool = True) -> None:
        self.socket = sock
        self.reads = reads
        config = H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=validate,
            normalize_outbound_headers=validate,
        )
        self.h2 = PatientConnection(config)
        self.h2.initiate_connection()
        self.flush()
        self.events: dict[int, list[Event]] = {}
        self.terminated: ConnectionTerminated | None = None
        self.closed = False

    @classmethod
    def tls(cls, host: str, port: int, *, timeout: float = 15.0, reads: bool = True, validate: bool = True) -> Http2:
        sock = tls_to(host, port, ["h2"], timeout=timeout)
        assert sock.selected_alpn_protocol() == "h2"
        return cls(sock, reads=reads, validate=validate)

    def flush(self) -> None:
        """Sends what the h2 library has to send."""
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def begin(
        self,
        method: str,
        target: str | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        pseudo: Mapping[str, str | None] | None = None,
        end: bool = True,
    ) -> int:
        """Sends a request's head and gives its stream. `pseudo` replaces pseudo-header fields; None leaves one out."""
        fields: dict[str, str | bytes | None] = {
            ":method": method,
            ":path": target,
            ":scheme": "https",
            ":authority": "localhost",
            **(pseudo or {}),
        }
        stream: int = self.h2.get_next_available_stream_id()
        lines = [(name, value) for name, value in fields.items() if value is not None]
        lines += [(name.lower(), value) for name, value in (headers or {}).items()]
        self.events[stream] = []
        self.h2.send_headers(stream, lines, end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> int:
        """Sends what the server takes of `data` before it ends the stream; gives the number of bytes sent."""
        sent = 0
        while sent < len(data):
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(data) - sent)
            if room:
                self.h2.send_data(stream, data[sent : sent + room])
                self.flush()
                sent += room
            elif self._ended(stream):
                return sent
            else:
                self._more()
        if end:
            self.h2.end_stream(stream)
            self.flush()
        return sent

    def wait_for_window(self, stream: int) -> int:
        """Waits until the server allows something to be sent on `stream`, in bytes."""
        while not self.h2.local_flow_control_window(stream):
            self._more()
        window: int = self.h2.local_flow_control_window(stream)
        return window

    def answer(self, stream: int) -> Answer:
        """The whole response on `stream`. `Reset` when the server breaks it off before its end."""
        while not self._ended(stream):
            self._more()
        status, headers, body = 0, [], bytearray()
        for event in self.events[stream]:
            if isinstance(event, ResponseReceived):
                pairs = [(str(name), str(value)) for name, value in event.headers or []]
                status = next(int(value) for name, value in pairs if name == ":status")
                headers = [(name, value) for name, value in pairs if not name.startswith(":")]
            elif isinstance(event, DataReceived):
                body += event.data or b""
            elif isinstance(event, StreamReset):
                # NO_ERROR after a whole response only stops the request body (RFC 9113, section 8.1).
                complete = any(isinstance(other, StreamEnded) for other in self.events[stream])
                if not complete or event.error_code not in (None, ErrorCodes.NO_ERROR):
                    raise Reset(int(event.error_code or 0))
        return Answer(status, tuple(headers), bytes(body))

    def head(self, stream: int) -> int:
        """Waits for a response's head and gives its status."""
        while True:
            for event in self.events[stream]:
                if isinstance(event, ResponseReceived):
                    return next(int(str(value)) for name, value in event.headers or [] if str(name) == ":status")
            if self._ended(stream):
                self.answer(stream)
                raise EOFError("the stream ended without a response")
            self._more()

    def ask(
        self,
        method: str,
        target: str | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        pseudo: Mapping[str, str | None] | None = None,
        body: bytes = b"",
    ) -> Answer:
        stream = self.begin(method, target, headers=headers, pseudo=pseudo, end=not body)
        if body:
            self.send(stream, body, end=True)
        return self.answer(stream)

    def wait(self) -> None:
        """Waits for something to come."""
        self._more()

    def _ended(self, stream: int) -> bool:
        if any(isinstance(event, (StreamEnded, StreamReset)) for event in self.events[stream]):
            return True
        if self.terminated is not None and self.terminated.error_code:
            raise Reset(int(self.terminated.error_code))
        if self.closed:
            raise EOFError("the server closed the connection")
        return False

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            if self.closed:
                raise EOFError("the server closed the connection")
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            if isinstance(event, ConnectionTerminated):
                self.terminated = event
            elif isinstance(event, DataReceived) and self.reads and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
            if isinstance(event, (InformationalResponseReceived, WindowUpdated)):
                continue
            stream = getattr(event, "stream_id", None)
            if stream:
                self.events.setdefault(stream, []).append(event)
        self.flush()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Http2:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
