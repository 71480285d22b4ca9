"""`TestClient`: an application, served, and what asks it."""

from __future__ import annotations

import contextlib
import http.client
import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

from slimeweb._cookie_jar import CookieJar
from slimeweb._multipart import Fields, Files
from slimeweb.testing._connections import Connections, answer_of
from slimeweb.testing._request import (
    Auth,
    Content,
    HeaderFields,
    SentFields,
    authorization,
    body_of,
    field_value,
    fields_of,
    host_of,
    target_of,
)
from slimeweb.testing._response import TestResponse
from slimeweb.testing._stream import Exchange, TestStream, TestUpgrade
from slimeweb.tokens import TOKEN

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest
    from slimeweb._server import Serving
    from slimeweb.app import Slime
    from slimeweb.resources import ResourceKey

__all__ = ["TestClient", "TooManyRedirects"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 20

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that may be sent again (RFC 9110, section 9.2.2)."""

_ERROR_KEY = "x-test-request"
"""The header by which a failure is found that a request has met."""


class TooManyRedirects(RuntimeError):
    """One redirect led to the next, more than 20 times."""


def _taken(name: str) -> str | None:
    """Who has a name of a client already."""
    return "slimeweb itself" if hasattr(TestClient, name) else None


@dataclass(frozen=True, slots=True)
class _Request:
    """What is sent. `cookies` go beside the client's own, unless the fields have cookies: then beside those."""

    method: str
    target: str
    fields: Mapping[str, list[bytes]]
    body: bytes | tuple[bytes, ...]
    cookies: Mapping[str, str]


class TestClient:
    """Serves an application while entered, and sends it requests over real sockets.

        with TestClient(app) as client:
            assert client.get("/").text == "Hello World from slime"

    `arguments` are those of `app.serve()`, `https` and `unix_socket` too; variables are not read, the port is free, two
    workers serve unless `workers` says otherwise. Start and end functions run. Each thread has a connection of its own,
    kept alive. What the application was shut down with (`app.shutdown(error)`) is raised at the end of the `with`
    statement.

    `headers`, `cookies`, `auth` and `follow_redirects` hold for every request that says nothing else, and `base_path`
    is put in front of every path. With `raise_errors` an exception that the application has not answered itself, and
    that becomes a 500 or cuts a stream, is raised by the request; the request has a header `X-Test-Request` then.

    `resources` are values in the place of the application's, by name or by the function that has been declared: as they
    are, or `slimeweb.resource(f)` for what a function makes, which lives as long as the one whose place it takes.
    `ConfigError` when the client is entered for one that there is not.

    `cookies` are those that answers have set, and may be changed. They go with the requests that a browser would send
    them with: of the same host (127.0.0.1, or what a `Host` header says) and path, until they end. As in browsers,
    those with `Secure` do without TLS on this machine's own addresses.
    """

    __test__ = False

    def __init__(
        self,
        app: Slime,
        *,
        timeout: float = 10.0,
        headers: HeaderFields | None = None,
        cookies: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        base_path: str = "",
        follow_redirects: bool = False,
        raise_errors: bool = False,
        resources: Mapping[ResourceKey, object] = MappingProxyType({}),
        **arguments: Any,
    ) -> None:
        if not callable(getattr(app, "serve_config", None)):
            raise TypeError(f"TestClient({app!r}): give the application, an instance of Slime")
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
            raise ValueError(f"TestClient(timeout={timeout!r}): give a number of seconds above 0")
        if base_path:
            target_of(base_path)
        if not isinstance(resources, Mapping):
            raise TypeError(f"TestClient(resources={resources!r}): give a mapping, resources={{'db': fake}}")
        self._app = app
        self._config = app.serve_config({"port": 0, "workers": 2, **arguments}, {})
        self._timeout = timeout
        self._headers = fields_of(headers)
        if auth is not None:
            self._headers["authorization"] = authorization(auth)
        self._base_path = base_path.removesuffix("/")
        self._follow_redirects = follow_redirects
        self._raise_errors = raise_errors
        self._resources = dict(resources)
        self._serving: Serving | None = None
        self._connections: Connections | None = None
        self._lock = threading.Lock()
        self._cookies = CookieJar((cookies or {}).items())
        self._numbers = count()
        self._members = app.plugins.table("slime_client_members", _taken, callables=True, app=app)
        self._errors: dict[str, BaseException] = {}

    def __enter__(self) -> Self:
        serving = self._app.prepare(self._config, self._note_error if self._raise_errors else None, self._resources)
        try:
            serving.start()
        except BaseException as error:
            serving.finish(error)
            raise
        self._serving = serving
        self._connections = Connections(serving.urls[0], serving.port, self._timeout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        serving, connections = self._running(), self._open()
        self._serving = self._connections = None
        connections.close()
        try:
            serving.shutdown()
            serving.wait(self._config.server.shutdown_grace + self._timeout)
        finally:
            serving.finish(serving.error)
        if serving.error is not None and error is None:
            raise serving.error

    @property
    def headers(self) -> dict[str, str]:
        """What every request is sent with, by lower-case name; a copy, which may be changed and assigned."""
        return {name: b", ".join(values).decode("latin-1") for name, values in self._headers.items()}

    @headers.setter
    def headers(self, headers: HeaderFields) -> None:
        self._headers = fields_of(headers)

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
        cookies: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        json: Any = None,
        data: Fields | None = None,
        files: Files | None = None,
        content: Content | None = None,
        follow_redirects: bool | None = None,
    ) -> TestResponse:
        """Sends a request and reads the whole answer.

        The body is one of `json`, `data` (a form: `{"name": value}`, or pairs), `data` and `files` (multipart) and
        `content` (as it is: bytes, text, an open file, or pieces, which are sent chunked). `headers` are a mapping, or
        pairs, where a name may come twice. A file is its content (`bytes`, text, or an open file), a `Path`,
        `(filename, content)` or `(filename, content, content type)`, as in
        `{"field": ("name.txt", b"…", "text/plain")}`. `params` is added to the path as its query. What a path may not
        hold is percent-encoded.

        `cookies` go with this request, beside those that the client has. `auth` is `("user", "password")`, or a token
        as text (`Bearer`). `follow_redirects` asks again where a redirect leads to inside of the application; one that
        leads out of it is returned. `TooManyRedirects` after 20. `ConnectionResetError`
        (`http.client.RemoteDisconnected` is one) when the server ends the connection without an answer; a request that
        may change something is never sent twice.
        """
        sent = self._request(method, path, params, headers, cookies, auth, body_of(json, data, files, content))
        response = self._exchange(sent)
        followed = [response.url]
        if follow_redirects is None:
            follow_redirects = self._follow_redirects
        while follow_redirects and response.status_code in _REDIRECTS and "location" in response.headers:
            target = self._inside(response, host_of(sent.fields))
            if target is None:
                break
            if len(followed) > _MOST_REDIRECTS:
                raise TooManyRedirects(
                    f"{method} {path}: {_MOST_REDIRECTS} redirects, and no end: … {' -> '.join(followed[-3:])} -> "
                    f"{response.header_all('location')[0]}"
                )
            # RFC 9110, sections 15.4.2 to 15.4.4; 307 and 308 keep the method and the body.
            becomes_get = response.status_code == 303 and sent.method != "HEAD"
            if becomes_get or (response.status_code in (301, 302) and sent.method == "POST"):
                fields = {name: value for name, value in sent.fields.items() if not name.startswith("content-")}
                sent = _Request("GET", target, fields, b"", sent.cookies)
            else:
                sent = replace(sent, target=target)
            response = self._exchange(sent)
            followed.append(response.url)
        return response

    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | str | None = None,
        headers: HeaderFields | None = None,
        cookies: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        json: Any = None,
        data: Fields | None = None,
        files: Files | None = None,
        content: Content | None = None,
    ) -> TestStream:
        """Sends a request on a connection of its own, and reads the answer as it comes. Redirects are not followed.

        with client.stream("GET", "/numbers") as stream:
            assert stream.response.status_code == 200
            for piece in stream.pieces(): ...
        """
        sent = self._request(method, path, params, headers, cookies, auth, body_of(json, data, files, content))
        return TestStream(self._begin(sent))

    def upgrade(
        self,
        path: str,
        protocol: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | str | None = None,
        headers: HeaderFields | None = None,
        cookies: Mapping[str, str] | None = None,
        auth: Auth | None = None,
    ) -> TestUpgrade:
        """Asks the server to switch a new connection to another protocol, by a GET."""
        sent = self._request("GET", path, params, headers, cookies, auth, (b"", None))
        fields = {**sent.fields, "connection": [b"Upgrade"], "upgrade": [field_value("upgrade", protocol)]}
        return TestUpgrade(self._begin(replace(sent, fields=fields), switches=True))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What plugins add (`slime_client_members`)."""
            member = None if name.startswith("_") else self._members.get(name)
            if member is None:
                raise AttributeError(f"TestClient has no attribute {name!r}", name=name)
            return partial(member, self)

    def _request(
        self,
        method: str,
        path: str,
        params: Any,
        headers: HeaderFields | None,
        cookies: Mapping[str, str] | None,
        auth: Auth | None,
        body: tuple[bytes | tuple[bytes, ...], str | None],
    ) -> _Request:
        """A request with what all have. `TypeError` and `ValueError` for what cannot be sent."""
        if not isinstance(method, str) or not TOKEN.fullmatch(method):
            raise ValueError(f"{method!r} is not an HTTP method: give 'GET', 'POST' and the like")
        target = self._base_path + target_of(path, params) if path != "*" else path
        given = fields_of(headers)
        if auth is not None:
            given.setdefault("authorization", authorization(auth))
        fields = {**self._headers, **given}
        content, content_type = body
        if content_type:
            fields.setdefault("content-type", [content_type.encode()])
        return _Request(method.upper(), target, fields, content, CookieJar((cookies or {}).items()))

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
        return target_of((there.path or "/") + (f"?{there.query}" if there.query else ""))

    def _exchange(self, request: _Request) -> TestResponse:
        connections, (fields, key) = self._open(), self._fields(request)
        connection = connections.of_thread()
        is_kept = connection.sock is not None
        try:
            try:
                answer = answer_of(connection, request.method, request.target, request.body, fields)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A kept connection may be closed at any time; a new one cannot have been.
                if not is_kept or request.method not in _IDEMPOTENT or key in self._errors:
                    raise
                connections.discard(connection)
                connection = connections.of_thread()
                answer = answer_of(connection, request.method, request.target, request.body, fields)
            response = self._response(answer, request.target, answer.read())
        except BaseException:
            # Whatever is left of this exchange must not meet the next one.
            connections.discard(connection)
            error = self._errors.pop(key, None)
            if error is None:
                raise
        else:
            self._receive_cookies(request, response)
            error = self._errors.pop(key, None)
        if error is None:
            return response
        # Not above, where it would get what the client has seen of it as its context.
        raise error

    def _begin(self, request: _Request, *, switches: bool = False) -> Exchange:
        """Sends a request on a connection of its own, and takes the head of the answer."""
        connections, (fields, key) = self._open(), self._fields(request)
        connection = connections.new()
        try:
            answer = answer_of(connection, request.method, request.target, request.body, fields)
            is_refused = switches and answer.status != 101
            response = self._response(answer, request.target, answer.read() if is_refused else b"")
        except BaseException:
            connections.discard(connection)
            error = self._errors.pop(key, None)
            if error is None:
                raise
        else:
            self._receive_cookies(request, response)
            # What cuts a stream that has begun is raised where it is read.
            error = self._errors.pop(key, None) if answer.status >= 500 else None
        if error is None:
            return Exchange(
                response,
                answer,
                connection.sock,
                partial(connections.discard, connection),
                partial(self._errors.pop, key, None),
            )
        connections.discard(connection)
        raise error

    def _fields(self, request: _Request) -> tuple[SentFields, str]:
        """All that goes with a request, and by what its failure is found."""
        fields, own = SentFields(request.fields), request.cookies
        host, path, is_trusted = self._where(request)
        with self._lock:
            kept = self._cookies.header(host, path, trusted=is_trusted).split("; ")
        if "cookie" not in fields:
            fields["cookie"] = [
                field_value("cookie", each) for each in kept if each and each.partition("=")[0] not in own
            ]
        fields["cookie"] += [field_value("cookie", f"{name}={value}") for name, value in own.items()]
        fields["cookie"] = [b"; ".join(fields["cookie"])]
        if not fields["cookie"][0]:
            del fields["cookie"]
        key = ""
        if self._raise_errors:
            key = str(next(self._numbers))
            fields[_ERROR_KEY] = [key.encode()]
        return fields, key

    def _receive_cookies(self, request: _Request, response: TestResponse) -> None:
        host, path, _ = self._where(request)
        with self._lock:
            for header in response.header_all("set-cookie"):
                self._cookies.receive(header, host, path)

    def _where(self, request: _Request) -> tuple[str, str, bool]:
        """Host and path that cookies are for, and whether they may be secure ones."""
        host = urlsplit(f"//{host_of(request.fields) or '127.0.0.1'}").hostname or ""
        is_local = host == "localhost" or re.fullmatch(r"127(\.[0-9]+){3}|::1", host)
        return host, request.target.partition("?")[0], self.url.startswith("https:") or bool(is_local)

    def _response(self, answer: http.client.HTTPResponse, target: str, content: bytes) -> TestResponse:
        return TestResponse(answer.status, tuple(answer.getheaders()), content, self._base() + target)

    def _note_error(self, req: SlimeRequest, error: BaseException) -> None:
        """Keeps what the application has not answered itself, for the request that has met it. On any thread."""
        key = req.header.get(_ERROR_KEY)
        if key is not None:
            self._errors.setdefault(key, error)

    def _base(self) -> str:
        """What paths are added to; a Unix socket has no address of its own."""
        return "http://127.0.0.1" if self.url.startswith("unix:") else self.url

    def _open(self) -> Connections:
        self._running()
        assert self._connections is not None
        return self._connections

    def _running(self) -> Serving:
        if self._serving is None:
            raise RuntimeError("the client is not running: use it as `with TestClient(app) as client:`")
        return self._serving
