"""Multipart bodies written by hand (RFC 7578), so that the malformed ones can be written too."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["BOUNDARY", "CONTENT_TYPE", "body", "field", "file"]

BOUNDARY = "a-boundary-of-the-tests"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(name: str, filename: str, content: bytes, content_type: str = "application/octet-stream") -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


def body(parts: Iterable[bytes]) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
