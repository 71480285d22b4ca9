"""Multipart bodies written by hand (RFC 7578), so that the malformed ones can be written too."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["BOUNDARY", "CONTENT_TYPE", "body", "field", "file", "part"]

BOUNDARY = "a-boundary-of-the-tests"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(head: str, content: bytes) -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def field(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


def file(name: str, filename: str, content: bytes, content_type: str = "application/octet-stream") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
    return part(f"{disposition}\r\nContent-Type: {content_type}", content)


def body(parts: Iterable[bytes]) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
