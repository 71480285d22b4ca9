"""A client for tests: the same server as in production, on a port of its own, in this process; tests of plugins."""

from __future__ import annotations

import contextlib
import http.client
import json as jsonlib
import math
import os
import re
import select
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urljoin, urlsplit

from slimeweb._cookie_jar import CookieJar, SetCookie
from slimeweb._multipart import Fields, Files, encode_multipart, field_pairs
from slimeweb.header import split_parameters
from slimeweb.testing._plugins import HookCall, HookRecorder, plugin_app
from slimeweb.tokens import TOKEN

if TYPE_CHECKING:
    from slimeweb._server import Serving
    from slimeweb.app import Slime

__all__ = ["HookCall", "HookRecorder", "TestClient", "TestResponse", "TooManyRedirects", "plugin_app"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 20

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that may be sent again (RFC 9110, section 9.2.2)."""

HeaderFields = Mapping[str, str | bytes | Sequence[str | bytes]] | Iterable[tuple[str, str | bytes]]
Content = bytes | bytearray | memoryview | str | IO[bytes] | IO[str] | Iterable[bytes | str]

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class HeaderDict(dict[str, str]):
    """Headers by name, which are kept in lower case and found in any."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name.lower() if isinstance(name, str) else name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a header, else `default`."""
        return super().get(name.lower(), default)


class TooManyRedirects(RuntimeError):
    """One redirect led to the next, more than 20 times."""


@dataclass(frozen=True, slots=True)
class TestResponse:
    """One answer: `status_code`, `content` (the body as bytes), `header_list` (names and values as they came) and `url`
    (what was asked for, after redirects). `headers` has lower-case names, which are found in any case, and values of
    one name joined by ", "; `header_all` has them apart.
    """

    __test__ = False

    status_code: int
    header_list: tuple[tuple[str, str], ...]
    content: bytes
    url: str

    @property
    def headers(self) -> HeaderDict:
        """The headers, by lower-case name."""
        headers = HeaderDict()
        for name, value in self.header_list:
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return headers

    def header_all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for each, value in self.header_list if each.lower() == name.lower()]

    @property
    def text(self) -> str:
        """The body as text: UTF-8, or the charset that Content-Type names."""
        try:
            _, parameters = split_parameters(self.headers.get("content-type", ""))
        except ValueError:
            parameters = []
        charset = next((value for name, value in parameters if name.lower() == "charset" and value), "utf-8")
        return self.content.decode(charset)

    def json(self) -> Any:
        """The body as JSON."""
        return jsonlib.loads(self.content)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this answer sets."""
        found = map(SetCookie.parse, self.header_all("set-cookie"))
        return {cookie.name: cookie.plain_value for cookie in found if cookie is not None}


class TestClient:
    """Serves an application while entered, and sends it requests over real sockets.

        with TestClient(app) as client:
            assert client.get("/").text == "Hello World from slime"

    `arguments` are those of `app.serve()`, `https` and `unix_socket` too; variables are not read, the port is free, one
    worker serves. Start and end functions run. Each thread has a connection of its own, kept alive. What the
    application was shut down with (`app.shutdown(error)`) is raised at the end of the `with` statement.

    `cookies` are those that answers have set, and may be changed. They go with the requests that a browser would send
    them with: of the same host (127.0.0.1, or what a `Host` header says) and path, until they end. As in browsers,
    those with `Secure` do without TLS on this machine's own addresses.
    """

    __test__ = False

    def __init__(self, app: Slime, *, timeout: float = 10.0, **arguments: Any) -> None:
        if not callable(getattr(app, "serve_config", None)):
            raise TypeError(f"TestClient({app!r}): give the application, an instance of Slime")
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
            raise ValueError(f"TestClient(timeout={timeout!r}): give a number of seconds above 0")
        self._app = app
        self._config = app.serve_config({"port": 0, "workers": 1, **arguments}, {})
        self._timeout = timeout
        self._serving: Serving | None = None
        self._lock = threading.Lock()
        # By process too: one that a test forks has the sockets of this one, and must not use them.
        self._connections: dict[tuple[int, threading.Thread], http.client.HTTPConnection] = {}
        self._cookies = CookieJar()

    def __enter__(self) -> TestClient:
        serving = self._app.prepare(self._config)
        try:
            serving.start()
        except BaseException as error:
            serving.finish(error)
            raise
        self._serving = serving
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        serving, self._serving = self._running(), None
        with self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
        serving.shutdown()
        serving.wait(self._config.server.shutdown_grace + self._timeout)
        serving.finish(serving.error)
        if serving.error is not None and error is None:
            raise serving.error

    @property
    def cookies(self) -> CookieJar:
        """The cookies by name, with their values as they are sent."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: Mapping[str, str]) -> None:
        self._cookies = cookies if isinstance(cookies, CookieJar) else CookieJar(cookies.items())

    @property
    def url(self) -> str:
        """The server's address, `http://127.0.0.1:49152`."""
        return self._running().urls[0]

    @property
    def port(self) -> int:
        """The server's port."""
        return self._running().port

    def get(self, path: str, **arguments: Any) -> TestResponse:
        """A GET request; the arguments are those of `request`."""
        return self.request("GET", path, **arguments)

    def head(self, path: str, **arguments: Any) -> TestResponse:
        """A HEAD request."""
        return self.request("HEAD", path, **arguments)

    def options(self, path: str, **arguments: Any) -> TestResponse:
        """An OPTIONS request."""
        return self.request("OPTIONS", path, **arguments)

    def post(self, path: str, **arguments: Any) -> TestResponse:
        """A POST request."""
        return self.request("POST", path, **arguments)

    def put(self, path: str, **arguments: Any) -> TestResponse:
        """A PUT request."""
        return self.request("PUT", path, **arguments)

    def patch(self, path: str, **arguments: Any) -> TestResponse:
        """A PATCH request."""
        return self.request("PATCH", path, **arguments)

    def delete(self, path: str, **arguments: Any) -> TestResponse:
        """A DELETE request."""
        return self.request("DELETE", path, **arguments)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | str | None = None,
        headers: HeaderFields | None = None,
        json: Any = None,
        data: Fields | None = None,
        files: Files | None = None,
        content: Content | None = None,
        follow_redirects: bool = False,
    ) -> TestResponse:
        """Sends a request and reads the whole answer.

        The body is one of `json`, `data` (a form: `{"name": value}`, or pairs), `data` and `files` (multipart) and
        `content` (as it is: bytes, text, an open file, or pieces, which are sent chunked). `headers` are a mapping, or
        pairs, where a name may come twice. A file is its content (`bytes`, text, or an open file), a `Path`,
        `(filename, content)` or `(filename, content, content type)`, as in
        `{"field": ("name.txt", b"…", "text/plain")}`. `params` is added to the path as its query. What a path may not
        hold is percent-encoded.

        `follow_redirects` asks again where a redirect leads to inside of the application; one that leads out of it is
        returned. `TooManyRedirects` after 20. `ConnectionResetError` (`http.client.RemoteDisconnected` is one) when the
        server ends the connection without an answer; a request that may change something is never sent twice.
        """
        if not isinstance(method, str) or not TOKEN.fullmatch(method):
            raise ValueError(f"{method!r} is not an HTTP method: give 'GET', 'POST' and the like")
        method = method.upper()
        target = _target(path)
        query = _query(params)
        if query:
            target += ("&" if "?" in target else "?") + quote(query, safe=_PRINTABLE)
        body, content_type = _body(json, data, files, content)
        sent = _fields(headers)
        if content_type:
            sent.setdefault("content-type", [content_type.encode()])
        response = self._exchange(method, target, sent, body)
        followed = [response.url]
        while follow_redirects and response.status_code in _REDIRECTS and "location" in response.headers:
            next_target = self._inside(response, _host(sent))
            if next_target is None:
                break
            if len(followed) > _MOST_REDIRECTS:
                raise TooManyRedirects(
                    f"{method} {path}: {_MOST_REDIRECTS} redirects, and no end: … {' -> '.join(followed[-3:])} -> "
                    f"{response.header_all('location')[0]}"
                )
            # RFC 9110, sections 15.4.2 to 15.4.4; 307 and 308 keep the method and the body.
            becomes_get = response.status_code == 303 and method != "HEAD"
            if becomes_get or (response.status_code in (301, 302) and method == "POST"):
                method, body = "GET", b""
                sent = {name: value for name, value in sent.items() if not name.startswith("content-")}
            response = self._exchange(method, next_target, sent, body)
            followed.append(response.url)
        return response

    def _inside(self, response: TestResponse, host: str) -> str | None:
        """Where a redirect leads to in this application, `None` when it leads elsewhere."""
        location = response.header_all("location")[0]
        with contextlib.suppress(UnicodeError):
            # Header fields are read as Latin-1; an address in one that is not ASCII is UTF-8.
            location = location.encode("latin-1").decode()
        here = urlsplit(self._base())
        try:
            there = urlsplit(urljoin(response.url, location))
        except ValueError:
            return None
        own = {here.netloc, here.netloc.replace("127.0.0.1", "localhost"), host}
        if there.scheme != here.scheme or there.netloc.lower() not in own or location.endswith("://"):
            return None
        return _target((there.path or "/") + (f"?{there.query}" if there.query else ""))

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, list[bytes]], body: bytes | tuple[bytes, ...]
    ) -> TestResponse:
        sent = _Sent(headers)
        host = urlsplit(f"//{_host(headers) or '127.0.0.1'}").hostname or ""
        path = target.partition("?")[0]
        trusted = self.url.startswith("https:") or host == "localhost" or re.fullmatch(r"127(\.[0-9]+){3}|::1", host)
        with self._lock:
            cookies = self._cookies.header(host, path, trusted=bool(trusted))
        if cookies:
            sent.setdefault("cookie", [_field("cookie", cookies)])
        connection = self._connection()
        is_kept = connection.sock is not None
        try:
            try:
                answer = self._send(connection, method, target, body, sent)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A kept connection may be closed at any time; a new one cannot have been.
                if not is_kept or method not in _IDEMPOTENT:
                    raise
                self._discard(connection)
                connection = self._connection()
                answer = self._send(connection, method, target, body, sent)
            response = TestResponse(answer.status, tuple(answer.getheaders()), answer.read(), self._base() + target)
        except BaseException:
            # Whatever is left of this exchange must not meet the next one.
            self._discard(connection)
            raise
        with self._lock:
            for header in response.header_all("set-cookie"):
                self._cookies.receive(header, host, path)
        return response

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: bytes | tuple[bytes, ...],
        headers: _Sent,
    ) -> http.client.HTTPResponse:
        content = iter(body) if isinstance(body, tuple) else body or None
        connection.request(method, target, body=content, headers=cast(Mapping[str, str], headers))
        return connection.getresponse()

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's connection, connected or not."""
        port, key = self._running().port, _owner()
        with self._lock:
            connection = self._connections.get(key)
            if connection is None:
                for ended in [each for each in self._connections if each[0] != key[0] or not each[1].is_alive()]:
                    self._connections.pop(ended).close()
                if self.url.startswith("unix:"):
                    connection = _UnixConnection(self.url.removeprefix("unix:"), timeout=self._timeout)
                elif self.url.startswith("https:"):
                    # Whatever certificate the application has: it is this very process that shows it.
                    context = ssl.create_default_context()
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=self._timeout, context=context)
                else:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._timeout)
                self._connections[key] = connection
        if connection.sock is not None and _is_over(connection.sock):
            connection.close()
        return connection

    def _base(self) -> str:
        """What paths are added to; a Unix socket has no address of its own."""
        return "http://127.0.0.1" if self.url.startswith("unix:") else self.url

    def _discard(self, connection: http.client.HTTPConnection) -> None:
        """Closes this thread's connection and drops it, with the part of a request that it may hold."""
        connection.close()
        with self._lock:
            self._connections.pop(_owner(), None)

    def _running(self) -> Serving:
        if self._serving is None:
            raise RuntimeError("the client is not running: use it as `with TestClient(app) as client:`")
        return self._serving


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("127.0.0.1", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _target(path: str) -> str:
    """A path as a request line has it. `TypeError` or `ValueError` for what is not one."""
    if not isinstance(path, str):
        raise TypeError(f"{path!r} is not a path: give text that starts with '/'")
    if not path.startswith("/") and path != "*":
        raise ValueError(f"{path!r} is not a path: it has to start with '/', and the server's address is added to it")
    # What follows a "#" is the client's own (RFC 3986, section 3.5).
    return quote(path.partition("#")[0], safe=_PRINTABLE)


def _owner() -> tuple[int, threading.Thread]:
    return os.getpid(), threading.current_thread()


def _query(params: Any) -> str:
    """A query as it is sent. `None` is left out; `TypeError` for what is not a query."""
    if isinstance(params, str):
        return params.removeprefix("?")
    return urlencode(field_pairs(params, "params")) if params is not None else ""


class _Sent(dict[str, list[bytes]]):
    """Header fields for `http.client`: several of one name are several lines."""

    def items(self) -> Any:
        return [(name, value) for name, values in super().items() for value in values]


def _fields(headers: Any) -> dict[str, list[bytes]]:
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
        lines = [_field(name, each) for each in (value if isinstance(value, list | tuple) else (value,))]
        if isinstance(headers, Mapping):
            fields[name] = lines
        else:
            fields.setdefault(name, []).extend(lines)
    return fields


def _host(headers: Mapping[str, list[bytes]]) -> str:
    """What a Host field says, in lower case; empty without one."""
    return headers["host"][-1].decode("latin-1").lower() if headers.get("host") else ""


def _field(name: str, value: object) -> bytes:
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


def _is_over(sock: Any) -> bool:
    """Whether an idle connection is readable, which means that it has been closed."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _body(
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
        return _body(None, None, None, read())
    if isinstance(content, Iterable) and not isinstance(content, Mapping):
        pieces = tuple(each.encode() if isinstance(each, str) else each for each in content)
        if all(isinstance(each, bytes | bytearray | memoryview) for each in pieces):
            return tuple(bytes(each) for each in pieces if each), None
    raise TypeError(
        f"content={content!r} is not a body: give bytes or text, or pieces of such; a value that becomes JSON: json=…"
    )
