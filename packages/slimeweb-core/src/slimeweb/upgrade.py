"""The interface of a protocol on an upgraded connection, after `resp.switch_protocol`."""

from __future__ import annotations

from typing import Protocol

from slimeweb._core import Transport

__all__ = ["Transport", "UpgradeProtocol"]


class UpgradeProtocol(Protocol):
    """The methods of `asyncio.Protocol`, called by slimeweb's server. No two calls for one connection overlap.

    They run on a thread of the server: the application's plain functions belong into `transport.call_plain`, work that
    takes its time into `transport.call_in_pool`.
    """

    def connection_made(self, transport: Transport) -> None:
        """The 101 is on its way; from here on the connection is the protocol's."""

    def data_received(self, data: bytes) -> None:
        """Some bytes from the client, in whatever pieces they arrived."""

    def eof_received(self) -> bool | None:
        """The client will send no more. A true value keeps the connection open for writing."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed; `exc` is why, `None` for a clean end. Called once, last.

        A protocol that does not get the connection after all hears this alone, with a `ConnectionError`.
        """

    def pause_writing(self) -> None:
        """The write buffer has passed its high-water mark: the client reads slower than the protocol writes."""

    def resume_writing(self) -> None:
        """The write buffer has drained below its low-water mark."""
