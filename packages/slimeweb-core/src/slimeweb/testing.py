"""A client for tests: the same server as in production, on a port of its own, in this process."""

from __future__ import annotations

import http.client
import json as jsonlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from slimeweb.multipart import FilePart, encode_multipart

if TYPE_CHECKING:
    from slimeweb.app import Slime
    from slimeweb.serving import Serving

__all__ = ["TestClient", "TestResponse"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 20


@dataclass(frozen=True, slots=True)
class TestResponse:
    """One answer. `headers` has lower-case names, values of one name joined by ", "; `header_all` has them apart."""

    __test__ = False

    status_code: int
    header_list: tuple[tuple[str, str], ...]
    content: bytes
    url: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers, by lower-case name."""
        headers: dict[str, str] = {}
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
        _, found, charset = self.headers.get("content-type", "").partition("charset=")
        return self.content.decode(charset.split(";")[0].strip('" ') if found else "utf-8")

    def json(self) -> Any:
        """The body as JSON."""
        return jsonlib.loads(self.content)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this answer sets."""
        return {name: morsel.value for name, morsel in _set_cookies(self).items()}


class TestClient:
    """Serves an application while entered, and sends it requests over real sockets.

        with TestClient(app) as client:
            assert client.get("/").text == "Hello World from slime"

    `arguments` are those of `app.serve()`; variables are not read, the port is free, one worker serves. Start and end
    functions run. Each thread has a connection of its own, kept alive. Cookies are kept, for every path, until
    `cookies` is changed.
    """

    __test__ = False

    def __init__(self, app: Slime, *, timeout: float = 10.0, **arguments: Any) -> None:
        self._app = app
        self._launch = app.launch({"port": 0, "workers": 1, **arguments}, {})
        self._timeout = timeout
        self._serving: Serving | None = None
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[http.client.HTTPConnection] = []
        self.cookies: dict[str, str] = {}

    def __enter__(self) -> TestClient:
        serving = self._app.prepare(self._launch)
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
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        serving.shutdown()
        serving.wait(self._launch.server.shutdown_grace + self._timeout)
        serving.finish()

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
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, FilePart] | Sequence[tuple[str, FilePart]] | None = None,
        content: bytes | str | None = None,
        follow_redirects: bool = False,
    ) -> TestResponse:
        """Sends a request and reads the whole answer.

        The body is one of `json`, `data` (a form), `data` and `files` (`{"field": ("name.txt", b"…", "text/plain")}`,
        multipart) and `content` (as it is). `params` is added to the path as its query.
        """
        if params:
            path += ("&" if "?" in path else "?") + urlencode(params, doseq=True)
        body, content_type = _body(json, data, files, content)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if content_type:
            sent.setdefault("content-type", content_type)
        response = self._exchange(method, path, sent, body)
        for _ in range(_MOST_REDIRECTS if follow_redirects else 0):
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or location is None:
                break
            if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
                method, body = "GET", b""
                sent.pop("content-type", None)
            target = urlsplit(urljoin(response.url, location))
            path = target.path + (f"?{target.query}" if target.query else "")
            response = self._exchange(method, path, sent, body)
        return response

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> TestResponse:
        sent = dict(headers)
        with self._lock:
            if self.cookies:
                sent.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection = self._connection()
        try:
            answer = self._send(connection, method, path, body, sent)
        except http.client.RemoteDisconnected:
            # A kept connection may be closed at any time; a new one cannot have been.
            connection.close()
            answer = self._send(connection, method, path, body, sent)
        response = TestResponse(answer.status, tuple(answer.getheaders()), answer.read(), urljoin(self.url, path))
        with self._lock:
            for name, morsel in _set_cookies(response).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.coded_value
        return response

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection.request(method, path, body=body or None, headers=headers)
        return connection.getresponse()

    def _connection(self) -> http.client.HTTPConnection:
        port = self._running().port
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None or connection.port != port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._timeout)
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def _running(self) -> Serving:
        if self._serving is None:
            raise RuntimeError("the client is not running: use it as `with TestClient(app) as client:`")
        return self._serving


def _body(
    json: Any,
    data: Mapping[str, Any] | None,
    files: Mapping[str, FilePart] | Sequence[tuple[str, FilePart]] | None,
    content: bytes | str | None,
) -> tuple[bytes, str | None]:
    if sum(each is not None for each in (json, content, files if files is not None else data)) > 1:
        raise ValueError("a request has one body: give json, content, or data and files")
    if json is not None:
        return jsonlib.dumps(json).encode(), "application/json"
    if files is not None:
        return encode_multipart(data or {}, files)
    if data is not None:
        return urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
    if content is not None:
        return (content.encode() if isinstance(content, str) else content), None
    return b"", None


def _set_cookies(response: TestResponse) -> SimpleCookie:
    jar = SimpleCookie()
    for header in response.header_all("set-cookie"):
        jar.load(header)
    return jar
