"""Multipart forms as a client sends them (RFC 7578), for `slimeweb.testing`. Reading them is the server's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any

__all__ = ["FilePart", "encode_multipart"]

FilePart = bytes | tuple[str, bytes] | tuple[str, bytes, str]
"""A file's content, `(filename, content)`, or `(filename, content, content type)`."""


def encode_multipart(
    fields: Mapping[str, Any], files: Mapping[str, FilePart] | Sequence[tuple[str, FilePart]]
) -> tuple[bytes, str]:
    """The body, and its Content-Type. A field whose value is a list is sent once for each item."""
    boundary = f"slimeweb-{token_hex(16)}"
    parts = []
    for name, value in fields.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            parts.append(_part(boundary, f'form-data; name="{_escaped(name)}"', None, str(each).encode()))
    for name, part in files.items() if isinstance(files, Mapping) else files:
        filename, content, content_type = _file(name, part)
        disposition = f'form-data; name="{_escaped(name)}"; filename="{_escaped(filename)}"'
        parts.append(_part(boundary, disposition, content_type, content))
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _file(name: str, part: FilePart) -> tuple[str, bytes, str]:
    match part:
        case (filename, content, content_type):
            return filename, content, content_type
        case (filename, content):
            return filename, content, "application/octet-stream"
        case _:
            return name, bytes(part), "application/octet-stream"


def _part(boundary: str, disposition: str, content_type: str | None, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + b"\r\n" + content + b"\r\n"


def _escaped(text: str) -> str:
    # What browsers do (the HTML standard, "multipart/form-data").
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
