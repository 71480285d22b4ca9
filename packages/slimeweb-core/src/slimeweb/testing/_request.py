"""What a client asks for, as it is sent, for the clients of `slimeweb.testing`."""

from __future__ import annotations

import base64
import json as jsonlib
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any
from urllib.parse import quote, urlencode

from slimeweb._multipart import Fields, Files, encode_multipart, field_pairs

HeaderFields = Mapping[str, str | bytes | Sequence[str | bytes]] | Iterable[tuple[str, str | bytes]]
Content = bytes | bytearray | memoryview | str | IO[bytes] | IO[str] | Iterable[bytes | str]

__all__ = [
    "Auth",
    "Content",
    "HeaderFields",
    "SentFields",
    "authorization",
    "body_of",
    "fields_of",
    "host_of",
    "target_of",
]

Auth = tuple[str, str] | str
"""`(user, password)` for Basic, a token for Bearer."""

PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def authorization(auth: Auth) -> list[bytes]:
    """The Authorization field (RFC 7617, RFC 6750). `TypeError` for what is neither."""
    match auth:
        case str():
            return [field_value("authorization", f"Bearer {auth}")]
        case (str(user), str(password)) if ":" not in user:
            return [b"Basic " + base64.b64encode(f"{user}:{password}".encode())]
    raise TypeError(f"auth={auth!r}: give ('user', 'password'), the user without ':', or a token as text")


def target_of(path: str, params: Any = None) -> str:
    """A path as a request line has it, with a query. `TypeError` or `ValueError` for what is not one."""
    if not isinstance(path, str):
        raise TypeError(f"{path!r} is not a path: give text that starts with '/'")
    if not path.startswith("/") and path != "*":
        raise ValueError(f"{path!r} is not a path: it has to start with '/', and the server's address is added to it")
    # What follows a "#" is the client's own (RFC 3986, section 3.5).
    target = quote(path.partition("#")[0], safe=PRINTABLE)
    query = _query(params)
    return target + (("&" if "?" in target else "?") + quote(query, safe=PRINTABLE) if query else "")


def _query(params: Any) -> str:
    """A query as it is sent. `None` is left out; `TypeError` for what is not a query."""
    if isinstance(params, str):
        return params.removeprefix("?")
    return urlencode(field_pairs(params, "params")) if params is not None else ""


class SentFields(dict[str, list[bytes]]):
    """Header fields for `http.client`: several of one name are several lines."""

    def items(self) -> Any:
        return [(name, value) for name, values in super().items() for value in values]


def fields_of(headers: Any) -> dict[str, list[bytes]]:
    """The lines of each field, by lower-case name. `TypeError` for what is not headers."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers if headers is not None else ()
    fields: dict[str, list[bytes]] = {}
    try:
        if isinstance(pairs, str | bytes):
            raise TypeError
        listed = [(name.lower(), value) for name, value in pairs]
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(f"headers={headers!r}: give {{'name': 'value'}} or [('name', 'value')]") from error
    for name, value in listed:
        lines = [field_value(name, each) for each in (value if isinstance(value, list | tuple) else (value,))]
        if isinstance(headers, Mapping):
            fields[name] = lines
        else:
            fields.setdefault(name, []).extend(lines)
    return fields


def host_of(headers: Mapping[str, list[bytes]]) -> str:
    """What a Host field says, in lower case; empty without one."""
    return headers["host"][-1].decode("latin-1").lower() if headers.get("host") else ""


def field_value(name: str, value: object) -> bytes:
    """A header's value: Latin-1 where that will do, as HTTP/1.1 has it, else UTF-8. `TypeError` for what is no text."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError(f"headers: {name!r} is {value!r}: give text")
    text = str(value)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def body_of(
    json: Any,
    data: Fields | None,
    files: Files | None,
    content: Content | None,
) -> tuple[bytes | tuple[bytes, ...], str | None]:
    if sum(each is not None for each in (json, content, files if files is not None else data)) > 1:
        raise ValueError("a request has one body: give json, content, or data and files")
    if json is not None:
        # Not NaN and Infinity, which JSON does not have: content=… sends what is not JSON.
        return jsonlib.dumps(json, allow_nan=False).encode(), "application/json"
    if files is not None:
        return encode_multipart({} if data is None else data, files)
    if data is not None:
        return urlencode(field_pairs(data)).encode(), "application/x-www-form-urlencoded"
    if content is None:
        return b"", None
    if isinstance(content, str):
        return content.encode(), None
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content), None
    read = getattr(content, "read", None)
    if callable(read):
        return body_of(None, None, None, read())
    if isinstance(content, Iterable) and not isinstance(content, Mapping):
        pieces = tuple(each.encode() if isinstance(each, str) else each for each in content)
        if all(isinstance(each, bytes | bytearray | memoryview) for each in pieces):
            return tuple(bytes(each) for each in pieces if each), None
    raise TypeError(
        f"content={content!r} is not a body: give bytes or text, or pieces of such; a value that becomes JSON: json=…"
    )
