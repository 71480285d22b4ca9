"""The opening handshake, from the server's side (RFC 6455, section 4.2)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slimeweb import HttpError, SlimeRequest
from slimeweb.header import split_list, split_parameters
from slimeweb_ws.options import WebSocketOptions

__all__ = ["Handshake", "Offer", "accept_key", "read_handshake", "read_offers"]

VERSION = "13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_SIZE = 16
_MOST = 4096

Offer = tuple[str, list[tuple[str, str | None]]]
"""An extension's name, and its parameters: names and values."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request to upgrade that can be granted."""

    accept: str
    subprotocol: str | None
    offers: Sequence[Offer]
    """What the client offers as extensions, where compression is wanted."""

    def headers(self, extension: str | None) -> list[tuple[str, str]]:
        """The headers of the 101, `Connection` aside."""
        headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", self.accept)]
        if self.subprotocol is not None:
            headers.append(("Sec-WebSocket-Protocol", self.subprotocol))
        if extension is not None:
            headers.append(("Sec-WebSocket-Extensions", extension))
        return headers


def read_handshake(req: SlimeRequest, options: WebSocketOptions) -> Handshake:
    """What a request asks for. `HttpError` where it is no request to upgrade, or one that is refused: 426 for a plain
    request and for another version, 400 for a bad key, 403 for an origin that is not let in.
    """
    if req.method != "GET" or "websocket" not in _tokens(req, "upgrade") or "upgrade" not in _tokens(req, "connection"):
        raise _upgrade_required(req, "this address speaks WebSocket: open it with a WebSocket client")
    if req.header_all("sec-websocket-version") != [VERSION]:
        raise _upgrade_required(req, f"this address speaks WebSocket version {VERSION}")
    _check_origin(req, options)
    return Handshake(
        accept=accept_key(_key(req)),
        subprotocol=next((name for name in _list(req, "sec-websocket-protocol") if name in options.subprotocols), None),
        offers=read_offers(", ".join(req.header_all("sec-websocket-extensions"))) if options.deflate else (),
    )


def read_offers(field: str) -> list[Offer]:
    """The members of `Sec-WebSocket-Extensions` (RFC 6455, section 9.1). One that cannot be read is left out, and so is
    a list of more than 4096 characters: an offer may be declined.
    """
    offers = []
    for member in split_list(field) if len(field) <= _MOST else ():
        with contextlib.suppress(ValueError):
            offers.append(split_parameters(member))
    return offers


def accept_key(key: str) -> str:
    """The value of `Sec-WebSocket-Accept` for a client's key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()).decode("ascii")


def _key(req: SlimeRequest) -> str:
    keys = req.header_all("sec-websocket-key")
    try:
        (key,) = keys
        decoded = base64.b64decode(key, validate=True)
    except (ValueError, binascii.Error):
        decoded = b""
    if len(decoded) != _KEY_SIZE:
        raise HttpError(400, "Sec-WebSocket-Key has to be 16 bytes in base64, once")
    return keys[0]


def _check_origin(req: SlimeRequest, options: WebSocketOptions) -> None:
    if options.allowed is None:
        return
    origin = req.header.get("origin")
    # Clients that send no Origin are not browsers, whose cookies another site could use.
    if origin is not None and origin not in options.allowed:
        raise HttpError(403, "this origin is not let in")


def _upgrade_required(req: SlimeRequest, detail: str) -> HttpError:
    headers = {"Sec-WebSocket-Version": VERSION}
    if req.http_version == "1.1":
        # Fields of one connection, which HTTP/2 does not have (RFC 9113, section 8.2.2).
        headers |= {"Upgrade": "websocket", "Connection": "Upgrade"}
    return HttpError(426, detail, headers)


def _list(req: SlimeRequest, name: str) -> Iterator[str]:
    for value in req.header_all(name):
        yield from filter(None, map(str.strip, value.split(",")))


def _tokens(req: SlimeRequest, name: str) -> set[str]:
    return {token.lower() for token in _list(req, name)}
