"""Frames that are a whole message each and not compressed, as most are: read and written without an engine.

https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

from __future__ import annotations

__all__ = ["LARGEST", "FrameBoundaries", "frame_of", "message_of"]

LARGEST = 65535
"""The longest payload of such a frame, in bytes."""

_FIN = 0x80
_MASK = 0x80
# A first byte: the end of a message, no extension, and the opcode of text or of octets.
_WHOLE = (_FIN | 1, _FIN | 2)


def frame_of(opcode: int, data: bytes) -> bytes:
    """A message of at most `LARGEST` bytes as a frame of a server's."""
    size = len(data)
    if size < 126:
        return bytes((_FIN | opcode, size)) + data
    return bytes((_FIN | opcode, 126, size >> 8, size & 255)) + data


def message_of(data: bytes) -> str | bytes | None:
    """The message where `data` is one such frame of a client's, no less and no more; `None` for all else."""
    if len(data) < 7 or data[0] not in _WHOLE:
        return None
    size, start = data[1] - _MASK, 2
    if size >= 126:
        if size == 127:
            return None
        size, start = data[2] << 8 | data[3], 4
    if len(data) != start + 4 + size:
        return None
    key = (data[start : start + 4] * (size // 4 + 1))[:size]
    octets = int.from_bytes(data[start + 4 :], "little") ^ int.from_bytes(key, "little")
    payload = octets.to_bytes(size, "little")
    if data[0] != _WHOLE[0]:
        return payload
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


class FrameBoundaries:
    """Where frames end in what a client sends."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    @property
    def are_reached(self) -> bool:
        """Whether a frame ends with the last byte that came."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> None:
        """Takes the next bytes: all that come, but for whole frames while a boundary is reached."""
        at, data = self._left, self._head + data
        self._head = b""
        while at < len(data):
            length = data[at + 1] & 127 if at + 1 < len(data) else 0
            size = 8 if length == 127 else 2 if length == 126 else 0
            if at + 2 + size > len(data):
                self._left, self._head = 0, data[at:]
                return
            if size:
                length = int.from_bytes(data[at + 2 : at + 2 + size], "big")
            at += 2 + size + 4 + length
        self._left = at - len(data)
