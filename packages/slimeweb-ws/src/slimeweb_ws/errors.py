"""What can go wrong on an open connection."""

from __future__ import annotations

from slimeweb import ClientDisconnected, SlimeError

__all__ = ["ConnectionClosed", "ProtocolError", "SendQueueFull"]


class ConnectionClosed(ClientDisconnected):
    """The connection is closed, and no message is left: what `resp.receive()` raises.

    `code` and `reason` are those of `resp.close_code` and `resp.close_reason` (RFC 6455, section 7.4.1). A handler that
    does not catch it has ended as if it had returned.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the connection is closed: {self.code}{f', {self.reason}' if self.reason else ''}"


class ProtocolError(SlimeError):
    """The client broke the protocol or a limit, and its connection is being closed with `code` (RFC 6455, section
    7.4.1).

    Given to `on_error`. 1002: the protocol, 1007: text that is not UTF-8, 1009: a message above the size limit.
    """

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.detail} ({self.code})"


class SendQueueFull(SlimeError):
    """More has been sent than the client reads, from where waiting is not possible.

    On an event loop `await resp.send(…)` waits for room; in a thread `resp.send(…)` waits by itself.
    """
