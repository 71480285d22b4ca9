"""Multipart forms as a client sends them (RFC 7578), for `slimeweb.testing`. Reading them is the server's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

__all__ = ["Fields", "FileContent", "FilePart", "Files", "encode_multipart", "field_pairs"]

FileContent = bytes | bytearray | memoryview | str | IO[bytes] | IO[str]
"""Text is sent as UTF-8; an open file is read from where it stands."""

FilePart = FileContent | Path | tuple[str | None, FileContent] | tuple[str | None, FileContent, str]
"""A file's content, the path of a file, `(filename, content)`, or `(filename, content, content type)`."""

Files = Mapping[str, FilePart | Sequence[FilePart]] | Iterable[tuple[str, FilePart]]
Fields = Mapping[str, Any] | Iterable[tuple[str, Any]]

_FIELDS = {
    "data": "a form's fields: {'name': value} or [('name', value)]; a body as it is: content=…",
    "params": "{'name': value}, [('name', value)], or a query as text",
}
_FORMS = 'b"…", "text", an open file, a Path, ("name.txt", b"…") or ("name.txt", b"…", "text/plain")'


def encode_multipart(fields: Fields, files: Files) -> tuple[bytes, str]:
    """The body, and its Content-Type. A field or a file whose value is a list is sent once for each item.

    `TypeError` for what is not a field or a file.
    """
    boundary = f"slimeweb-{token_hex(16)}"
    parts = []
    for name, value in field_pairs(fields):
        parts.append(_part(boundary, f'form-data; name="{_escaped(name)}"', None, _text(value)))
    for name, part in _file_pairs(files):
        filename, content, content_type = _file(name, part)
        disposition = f'form-data; name="{_escaped(name)}"'
        if filename is not None:
            disposition += f'; filename="{_escaped(filename)}"'
        parts.append(_part(boundary, disposition, content_type, content))
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def field_pairs(fields: Fields, argument: str = "data") -> list[tuple[str, Any]]:
    """The fields of a form or a query, one pair for each value; `None` is left out. `TypeError` for what is none."""
    pairs = _pairs(argument, fields, _FIELDS[argument])
    listed = [
        (name, each) for name, value in pairs for each in (value if isinstance(value, list | tuple) else (value,))
    ]
    for name, value in listed:
        if isinstance(value, Mapping | set | frozenset):
            raise TypeError(f"{argument}: {name!r} is {_shown(value)}; give text, a number, or a list of such")
    return [(name, value) for name, value in listed if value is not None]


def _text(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()


def _file_pairs(files: Files) -> list[tuple[str, Any]]:
    pairs = _pairs("files", files, f"{{'field': file}} or [('field', file)], where a file is {_FORMS}")
    return [(name, each) for name, value in pairs for each in (value if isinstance(value, list) else (value,))]


def _pairs(argument: str, given: Any, wanted: str) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        given = given.items()
    elif isinstance(given, str | bytes | bytearray | memoryview) or not isinstance(given, Iterable):
        raise TypeError(f"{argument}={_shown(given)} is not possible; give {wanted}")
    pairs = []
    for pair in given:
        match pair:
            case (str(name), value) if isinstance(pair, tuple | list):
                pairs.append((name, value))
            case _:
                raise TypeError(
                    f"{argument} holds {_shown(pair)}, which is no pair of a name and a value; give {wanted}"
                )
    return pairs


def _file(name: str, part: Any) -> tuple[str | None, bytes, str | None]:
    match part:
        case (str() | None as filename, content, str() | None as content_type):
            pass
        case (str() | None as filename, content):
            # A part without a filename is a field.
            content_type = None if filename is None else "application/octet-stream"
        case _:
            filename, content, content_type = _filename(part) or name, part, "application/octet-stream"
    return filename, _content(name, content), content_type


def _filename(part: Any) -> str | None:
    if isinstance(part, Path):
        return part.name
    found = getattr(part, "name", None)
    # A file that was opened by its descriptor has a number there, a temporary one maybe too.
    return os.path.basename(found) if isinstance(found, str) else None


def _content(name: str, content: Any) -> bytes:
    if isinstance(content, Path):
        return content.read_bytes()
    if callable(getattr(content, "read", None)):
        content = content.read()
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    raise TypeError(f"files: {name!r} is {_shown(content)}, which is no file; give {_FORMS}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _part(boundary: str, disposition: str, content_type: str | None, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + b"\r\n" + content + b"\r\n"


def _escaped(text: str) -> str:
    # What browsers do (the HTML standard, "multipart/form-data").
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
