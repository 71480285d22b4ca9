"""One request to a WSGI application (PEP 3333)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from slimeweb import BodyChunks, BodyWriter, SlimeRequest, SlimeResponse

__all__ = ["wsgi_handler"]

BLOCK = 64 * 1024
"""Bytes that `wsgi.file_wrapper` reads at a time where the application does not say how many."""


def wsgi_handler(application: Any, path: str) -> Callable[[SlimeRequest, SlimeResponse], None]:
    """The handler that calls an application which is mounted at `path`."""

    def handler(req: SlimeRequest, resp: SlimeResponse) -> None:
        answer = Answer(resp)
        result: Iterable[bytes] = application(environ_of(req, path), answer.start_response)
        try:
            answer.send(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    return handler


def environ_of(req: SlimeRequest, path: str) -> dict[str, Any]:
    """The environment of a request. Text is octets as ISO-8859-1, as PEP 3333 has it."""
    scheme, host = req.scheme, req.header.get("host", "")
    script = path.encode().decode("latin-1")
    name, separator, port = host.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit():
        name, port = host, "443" if scheme == "https" else "80"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": req.method,
        "SCRIPT_NAME": script,
        # Cut once it is decoded: the client may have percent-encoded what stands before it.
        "PATH_INFO": unquote_to_bytes(req.raw_path).decode("latin-1")[len(script) :],
        "QUERY_STRING": req.query_string,
        "SERVER_NAME": name or "localhost",
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{req.http_version}",
        "SERVER_SOFTWARE": "slimeweb",
        "REMOTE_ADDR": req.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    for raw_name, value in req.raw_headers:
        key = raw_name.decode("latin-1").upper()
        if "_" in key:
            # It would pass for the field with dashes in its place, which proxies may have vouched for.
            continue
        key = key.replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    if (
        environ.get("CONTENT_LENGTH", "0") == "0"
        and req.http_version != "2"
        and "HTTP_TRANSFER_ENCODING" not in environ
    ):
        environ["wsgi.input"] = io.BytesIO()
    else:
        environ["wsgi.input"] = io.BufferedReader(Body(req.chunks()))
    return environ


class Body(io.RawIOBase):
    """The body of a request as a file, read as it arrives."""

    def __init__(self, chunks: BodyChunks) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Reads what is there, waiting for the client where nothing is. 0 at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class Answer:
    """What an application answers."""

    __slots__ = ("_is_set", "_resp", "_writer")

    def __init__(self, resp: SlimeResponse) -> None:
        self._resp = resp
        self._is_set = False
        self._writer: BodyWriter | None = None

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Takes status and headers. A second time only for an error, which is raised where they are out already."""
        resp = self._resp
        if exc_info is not None:
            try:
                if resp.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._is_set:
            raise RuntimeError("the WSGI application has called start_response twice: only an error may, with exc_info")
        for name in resp.headers if self._is_set else ():
            resp.remove_header(name)
        self._is_set = True
        resp.set_status(int(status.split(" ", 1)[0]))
        resp.add_raw_headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
        return self.write

    def write(self, data: bytes) -> None:
        """Sends a piece, waiting while the client is behind."""
        if self._writer is None:
            self._check_started()
            self._writer = self._resp.writer()
            self._writer.start()
        self._writer.write(data)

    def send(self, pieces: Iterable[bytes]) -> None:
        """Sends the answer: whole where it is in one piece."""
        if self._writer is None and isinstance(pieces, list | tuple) and len(pieces) == 1:
            self._check_started()
            self._resp.bytes(pieces[0], content_type=None)
            return
        for piece in pieces:
            if piece:
                self.write(piece)
        if self._writer is not None:
            self._writer.close()
        else:
            self._check_started()
            self._resp.bytes(b"", content_type=None)

    def _check_started(self) -> None:
        if not self._is_set:
            raise RuntimeError("the WSGI application has answered without calling start_response")


class _File(Protocol):
    def read(self, size: int, /) -> bytes: ...


class FileWrapper:
    """`wsgi.file_wrapper`: a file in blocks."""

    def __init__(self, file: _File, block: int = BLOCK) -> None:
        self._file = file
        self._block = block

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block), b"")

    def close(self) -> None:
        """Closes the file, where it can be closed."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()
