"""The Rust half of slimeweb: requests, responses and the server that carries them."""

import builtins
from asyncio import AbstractEventLoop
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextvars import Context
from datetime import date, datetime, timedelta
from os import PathLike
from pathlib import Path
from socket import socket
from types import UnionType
from typing import Any, Protocol, TypeVar, TypeVarTuple, final, overload

from _typeshed import ReadableBuffer, WriteableBuffer

from slimeweb._after import AfterFunctions
from slimeweb._compiled import CompiledRoute, StaticMount
from slimeweb._installed.members import RequestMembers, ResponseMembers
from slimeweb._observers import SentResponse
from slimeweb._settings import Settings
from slimeweb.app import Slime
from slimeweb.resources import Resources
from slimeweb.state import State
from slimeweb.upgrade import UpgradeProtocol

__all__ = [
    "BodyChunks",
    "BodyWriter",
    "ClientWait",
    "Handle",
    "HandlerCoroutine",
    "Headers",
    "LoopSocket",
    "ProtocolSwitch",
    "Server",
    "SlimeFile",
    "SlimeRequest",
    "SlimeResponse",
    "Transport",
    "WorkerHandle",
    "__version__",
    "call_in_pool",
    "choose_encoding",
    "forget_server",
    "json_dumps",
    "json_loads",
    "parse_path",
    "split_list",
    "split_parameters",
    "waiting_for_client",
]

__version__: str
"""The version of slimeweb-core, `0.3.0`."""

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

class _Markup(Protocol):
    def __html__(self) -> str: ...

@final
class Headers(Mapping[str, str]):
    """A case-insensitive, read-only view of header fields (RFC 9110, section 5).

    A field that came several times reads as one value joined by ", " (cookies by "; "); `SlimeRequest.header_all` has
    them apart. `KeyError` for a field that is not there. Values outside of ASCII read as ISO-8859-1.
    """

    def __getitem__(self, name: str, /) -> str: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

@final
class SlimeRequest(RequestMembers):
    """One request, as its handler sees it. Everything is parsed when first asked for, once."""

    @property
    def id(self) -> str:
        """A name for this request, for logs: unique in this process.

        For example:

            logger.info("request %s begins", req.id)
        """

    @property
    def app(self) -> Slime:
        """The application that this request came to.

        For example:

            if req.app.dev: ...
        """

    @property
    def method(self) -> str:
        """The method in the letters that the client sent: `GET` (RFC 9110, section 9).

        For example:

            if req.method == "HEAD": ...
        """

    @property
    def path(self) -> str:
        """The path without the query, percent-decoded: `/users/Ada Lovelace`.

        For example:

            parts = req.path.split("/")
        """

    @property
    def raw_path(self) -> str:
        """The path without the query, as the client sent it: `/users/Ada%20Lovelace`.

        For example:

            cache_key = req.raw_path
        """

    @property
    def query_string(self) -> str:
        """What stands behind the `?`, as the client sent it; empty where there is none.

        For example:

            target = f"/new?{req.query_string}"
        """

    @property
    def scheme(self) -> str:
        """`http` or `https`; behind a proxy of `serve(trusted_proxies=…)` what the proxy says that its client uses.

        For example:

            if req.scheme == "http": ...
        """

    @property
    def host(self) -> str:
        """The host that the client asked for, with its port where one was named: `example.com:8080`. It is what the
        client says (Host, `:authority` over HTTP/2): trust it where the proxy checks it. Where a client of HTTP/1.0
        says nothing, the address that the server listens on.

        For example:

            if req.host != "www.example.com": ...
        """

    @property
    def url(self) -> str:
        """The whole URL of the request, percent-encoded: `scheme`, `host`, `root_path` of `serve()`, path and query.

        For example:

            canonical = req.url.partition("?")[0]
        """

    @property
    def http_version(self) -> str:
        """`1.0`, `1.1` or `2`.

        For example:

            is_multiplexed = req.http_version == "2"
        """

    @property
    def client(self) -> str:
        """The client's IP address; behind a proxy of `serve(trusted_proxies=…)` the address that the proxy forwards
        for. `unix` for a Unix socket.

        For example:

            logger.warning("too many requests from %s", req.client)
        """

    @property
    def client_port(self) -> int | None:
        """The port that the client's connection comes from; `None` behind a proxy of `serve(trusted_proxies=…)`, which
        does not forward it, and for a Unix socket.

        For example:

            logger.info("from %s, port %s", req.client, req.client_port)
        """

    @property
    def route(self) -> str | None:
        """The pattern of the route that matched, `/users/{id:int}`; `None` for a 404, a 405 or a static file.

        For example:

            counter[req.route] += 1
        """

    @property
    def header(self) -> Headers:
        """The header fields, found by name in any case.

        For example:

            agent = req.header.get("user-agent", "")
        """

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The header fields as octets, names in lower case, one pair for each line, in the order they came. A new list
        each time.

        For example:

            scope["headers"] = req.raw_headers
        """

    def header_all(self, name: str) -> list[str]:
        """Every line of one header field, in the order they came; empty where there is none. `TypeError` for a name
        that is no text.

        For example:

            addresses = req.header_all("forwarded")
        """

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query, percent-decoded. Of several with one name the last; `query_all` has them all.

        For example:

            page = int(req.query.get("page", "1"))
        """

    def query_all(self, name: str) -> list[str]:
        """Every value of one query parameter, in order; empty where there is none. `TypeError` for a name that is no
        text.

        For example:

            tags = req.query_all("tag")
        """

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the path. Those with a type are converted: `{id:int}` is an `int`, `{x:float}` a `float`,
        `{u:uuid}` a `uuid.UUID`; all others are text.

        For example:

            student = students[req.params["id"]]
        """

    @property
    def body(self) -> bytes:
        """The whole body. Empty for a multipart form, whose parts are in `form` and `file`.

        `RuntimeError` on a route with `stream_body=True`, which reads by `chunks()`; `HttpError` where the client did
        not send all of it, or too much.

        For example:

            digest = hashlib.sha256(req.body)
        """

    @property
    def bytes(self) -> bytes:
        """The same as `body`.

        For example:

            data = req.bytes
        """

    @property
    def text(self) -> str:
        """The body as text, in the charset that Content-Type names, UTF-8 where it names none.

        `HttpError` 400 for a body that is not in this charset, 415 for an unknown charset; else as `body`.

        For example:

            lines = req.text.splitlines()
        """

    @property
    def json(self) -> Any:
        """The body as JSON: `None` when Content-Type does not say that it is JSON. `JsonError`, a 400, for what is not
        JSON (RFC 8259); else as `body`.

        For example:

            name = req.json["name"]
        """

    @property
    def form(self) -> dict[str, str]:
        """The text fields of a form, urlencoded or multipart; empty for a body that is no form. Of several with one
        name the last; `form_all` has them all. `FormError`, a 400, for a malformed form.

        For example:

            name = req.form["name"]
        """

    def form_all(self, name: str) -> list[str]:
        """Every value of one form field, in order; empty where there is none. `FormError` as for `form`, `TypeError`
        for a name that is no text.

        For example:

            colours = req.form_all("colour")
        """

    @property
    def file(self) -> list[SlimeFile]:
        """The uploaded files of a multipart form, in the order they came; empty where there is none.

        For example:

            for file in req.file:
                file.save(file.original_filename, directory="uploads")
        """

    @property
    def resources(self) -> Resources:
        """What has been declared with `app.resource`: `req.resources.db`, or with its type `req.resources[db]`.

        Those of the application and of the worker, and those of the request that the route or its middleware lists.

        For example:

            rows = await req.resources.db.fetch("select 1")
        """

    def _set_resources(self, resources: Resources) -> None: ...
    @property
    def _body_kind(self) -> str: ...
    def _form_pairs(self) -> list[tuple[str, str]]: ...
    @property
    def _names_json(self) -> bool: ...
    @property
    def _refusal(self) -> str | None: ...
    @property
    def _is_body_first(self) -> bool: ...
    def _wait_for_body(self) -> None: ...
    def _body_arrival(self) -> Awaitable[None]: ...
    def no_of_files_available(self) -> int:
        """How many files were uploaded.

        For example:

            if req.no_of_files_available() != 1: ...
        """

    def chunks(self) -> BodyChunks:
        """The body, piece by piece: on a route with `stream_body=True` as it arrives, else in memory already.

        `RuntimeError` when it is called twice on a route with `stream_body=True`. While it is read, `HttpError` where
        the client stops sending (408) or sends too much (400), and `IncompleteBody`, which is an `HttpError` and a
        `ClientDisconnected`, where it leaves.

        For example:

            for piece in req.chunks():
                digest.update(piece)
        """

    # What slimeweb's Python half adds (slimeweb/_members.py).
    @property
    def state(self) -> State:
        """What all requests of the application share: `app.state`.

        For example:

            visits = req.state.incr("visits")
        """

    @property
    def secret_key(self) -> str:
        """The key that signs cookies: `app.secret_key`.

        For example:

            token = hmac.new(req.secret_key.encode(), message, "sha256")
        """

    def url_for(
        self, name: str, /, *, query: Mapping[str, Any] | None = None, absolute: bool = False, **params: Any
    ) -> str:
        """The path of a route by its name, as `app.url_for` has it: `users.show`, or `.show` for the route of that name
        in the router which the request's own route is of. With `absolute` scheme and host of the request stand before
        it. `UrlError` for what will not do.

        For example:

            return resp.redirect(req.url_for(".show", id=7))
        """

    def get_cookies(self) -> dict[str, str]:
        """The cookies by name, with their values as text (RFC 6265, section 5.4).

        For example:

            theme = req.get_cookies().get("theme", "light")
        """

    def get_signed_cookie(self, key: str, max_age: float | None = None, *, secret: str | None = None) -> str | None:
        """The value of a cookie that `resp.set_sign_cookie` has set. `None` when there is none, when it was changed, or
        when it is older than `max_age` seconds.

        `secret` is the one that `set_sign_cookie` was given, where it was.

        For example:

            user = req.get_signed_cookie("user", max_age=86400)
        """

    def get_state(self, key: str) -> Any:
        """The value that the application's state has for `key`, `None` when there is none.

        For example:

            visits = req.get_state("visits")
        """

    def update_state(self, key: str, value: Any) -> None:
        """Sets the value that the application's state has for `key`. `req.state.update` changes one without losing what
        another thread does.

        For example:

            req.update_state("motto", "carpe diem")
        """

    @overload
    def parse(self, model: UnionType) -> Any: ...
    @overload
    def parse(self, model: type[_T]) -> _T:
        """The body as a value of a type: a pydantic model, a msgspec Struct, a dataclass, a TypedDict, `list[Student]`
        and so on. msgspec checks its own types, pydantic all others.

        JSON is read by them, so that a strict model takes dates, UUIDs and the like. Fields of a form are text, which
        becomes what the type has, also where it is strict; fields that are lists, sets or tuples take all values of
        their name; those of the type `SlimeFile` take uploaded files.

        `ValidationFailed`, a 422, for what does not fit; `JsonError` and `FormError`, 400s, for what is not JSON or no
        form; `HttpError` 415 for another Content-Type; else as `body`. `ConfigError` for what is no type that can be
        checked, and when pydantic is not installed.

        For example:

            student = req.parse(Student)
        """

    def validate(self, obj: type[Any], raise_err: bool = True) -> dict[str, list[dict[str, str]]] | None:
        """Checks the JSON body against a type, as `parse` does: `None` when it fits.

        Else pydantic's `ValidationError` (or msgspec's), which becomes a 422 as `ValidationFailed` does, unless the
        handler catches it or there is an `@app.error` for it; with `raise_err=False` what is wrong, as `{"errors":
        [{"loc": "age", "msg": "…", "type": "int_parsing"}]}`. `JsonError`, a 400, for a body that is not JSON;
        `ConfigError` as for `parse`.

        For example:

            wrong = req.validate(Student, raise_err=False)
            if wrong:
                return resp.json(wrong, status=422)
        """

    # What middleware hands on to handlers.
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...

@final
class SlimeResponse(ResponseMembers):
    """The answer to one request. Its body methods return the response itself, so `return resp.plain(…)` reads well."""

    @property
    def status(self) -> int:
        """The status as it stands: 200 until something sets another, 101 for a protocol switch.

        For example:

            if resp.status >= 500: ...
        """

    @property
    def is_set(self) -> bool:
        """Whether something has become the body, so that nothing else needs to answer.

        For example:

            if not resp.is_set:
                resp.plain("nothing here")
        """

    @property
    def _is_set_by_before(self) -> bool: ...
    def _forget_after(self) -> None: ...
    def _drop_cookies(self) -> None: ...
    @property
    def file_path(self) -> Path | None:
        """The path of the file that is to be sent; `None` where the body is no file.

        For example:

            if resp.file_path is not None: ...
        """

    @property
    def body(self) -> bytes | None:
        """The body as it stands; `None` where none is in memory: there is none, or it is a file or a stream.

        For example:

            size = len(resp.body or b"")
        """

    @property
    def headers(self) -> dict[str, str]:
        """A copy of the headers as they stand, names in lower case, several values of one name joined by ", ".

        For example:

            kind = resp.headers.get("content-type")
        """

    @property
    def content_type(self) -> str:
        """The Content-Type as it stands, empty where none is set.

        For example:

            if resp.content_type.startswith("text/"): ...
        """

    def set_status(self, status_id: int) -> None:
        """Sets the status, 200 to 599. `ValueError` for another number, `TypeError` for what is no `int`,
        `RuntimeError` once the head is sent.

        For example:

            resp.set_status(202)
        """

    def set_header(self, key: str, value: str) -> None:
        """Sets a header, in place of all there are of that name.

        The server alone frames responses: Transfer-Encoding, Trailer, Keep-Alive and Proxy-Connection are dropped with
        a line in the log, and so is a Content-Length that is not the body's.

        `ValueError` where name or value cannot be sent as they are, `TypeError` for what is no text, `RuntimeError`
        once the head is sent.

        For example:

            resp.set_header("Cache-Control", "no-store")
        """

    def add_header(self, key: str, value: str) -> None:
        """Adds a header beside those of that name. Raises as `set_header` does.

        For example:

            resp.add_header("Link", "</style.css>; rel=preload")
        """

    def add_raw_headers(self, fields: Iterable[tuple[bytes, bytes] | list[bytes]]) -> None:
        """Adds headers given as octets, beside those that are there; a pair is a tuple or, as ASGI allows, a list.
        Raises as `set_header` does, `TypeError` for what is no pair of `bytes`.

        For example:

            resp.add_raw_headers([(b"x-served-by", b"old app"), (b"vary", b"Cookie")])
        """

    def remove_header(self, key: str) -> None:
        """Removes every header of that name; does nothing where there is none. Raises as `set_header` does.

        For example:

            resp.remove_header("ETag")
        """

    def header_all(self, name: str) -> list[str]:
        """Every value that a header has so far, in order; empty where it has none.

        For example:

            cookies = resp.header_all("Set-Cookie")
        """

    def plain(self, data: str, status: int | None = None) -> SlimeResponse:
        """Answers with text: `text/plain; charset=utf-8`, unless a header has set another type. `TypeError` for data
        that is no text; status as for `set_status`.

        For example:

            return resp.plain("no such student", status=404)
        """

    def html(self, data: str | _Markup, status: int | None = None) -> SlimeResponse:
        """Answers with HTML: text, or a value that has `__html__()`. Raises as `plain` does.

        For example:

            return resp.html("<h1>Hello</h1>")
        """

    def json(self, data: Any, status: int | None = None) -> SlimeResponse:
        """Answers with JSON: what `json.dumps` takes, dataclasses, pydantic models, dates, UUIDs and the like.
        `TypeError` or `ValueError` names the place that JSON cannot hold.

        For example:

            return resp.json({"id": 7}, status=201)
        """

    def bytes(self, data: bytes, status: int | None = None, content_type: str | None = ...) -> SlimeResponse:
        """Answers with bytes as they are, `application/octet-stream` where nothing else is said; `None` leaves the
        type that the headers have, or none. `TypeError` for what is no bytes.

        For example:

            return resp.bytes(png, content_type="image/png")
        """

    def redirect(self, location: str, status: int = 302) -> SlimeResponse:
        """Sends the client to another address (RFC 9110, section 15.4). `ValueError` for a status other than 301, 302,
        303, 307 and 308, or a location that no header can hold.

        For example:

            return resp.redirect("/login", status=303)
        """

    def file(
        self, path: str | PathLike[str], filename: str | None = None, content_type: str | None = None
    ) -> SlimeResponse:
        """Answers with a file: in parts (Range) and only if changed (ETag, Last-Modified) where the client asks so.

        `filename` makes it a download of that name, whose ending also says of what type it is, unless `content_type` or
        a header does. A relative path is relative to the working directory. `FileMissing`, a 404, where there is no
        such file; `PermissionError` where it must not be read.

        For example:

            return resp.file("reports/2026.pdf", filename="report.pdf")
        """

    def empty(self, status: int = 204) -> SlimeResponse:
        """Answers without a body. Raises as `set_status` does.

        For example:

            return resp.empty(204)
        """

    @property
    def started(self) -> bool:
        """Whether the head has been sent, so that only the body can still be added to.

        For example:

            if not resp.started:
                resp.set_header("X-Time", "3 ms")
        """

    def abort(self) -> None:
        """Ends a body that has been started as one that is incomplete, so that the client can tell (HTTP/1.1: the
        connection is cut; HTTP/2: the stream is reset). Before that it does nothing.

        For example:

            resp.abort()
        """

    def accept(self, result: object, returned_by: str | None = None) -> None:
        """Takes a handler's return value as the answer: `None`, this response, or a value that becomes the body. For
        route kinds of plugins. `TypeError` for a value that is no answer, which names `returned_by`, or the handler.

        For example:

            resp.accept(handler(req, resp))
        """

    def stream(
        self,
        iterable: Iterable[builtins.bytes | str] | AsyncIterable[builtins.bytes | str],
        status: int | None = None,
        content_type: str | None = None,
        *,
        on_begin: Callable[[BodyWriter], object] | None = None,
    ) -> SlimeResponse:
        """Answers with the pieces of an iterable, such as a generator, as fast as the client takes them: `bytes`, or
        `str` that is sent as UTF-8. A plain one is iterated over on a thread of the pool, an asynchronous one on the
        event loop, whatever the handler is.

        The iteration begins when handler and middleware are done; the head goes out with the first piece, and without
        a piece at the end. What it raises before that is answered as an error of the handler; later the connection is
        cut. `close` or `aclose` of the iterable is always called. `TypeError` for what is no iterable, or is `str`,
        `bytes` or a `dict`.

        For route kinds of plugins: `on_begin` is called with the writer as the iteration begins, on its thread or loop,
        for what else there is to write (comments that keep a connection alive), or to end (`writer.stop()`).

        For example:

            return resp.stream((f"{row}\\n" for row in rows), content_type="text/csv; charset=utf-8")
        """

    def _begin_end(self) -> None: ...
    @property
    def _is_streamed(self) -> bool: ...
    def _take_stream(
        self,
    ) -> tuple[BodyWriter, Any, bool, Callable[[BodyWriter], object] | None, bool] | None: ...
    def _end_stream(self, error: BaseException | None = None) -> None: ...
    def writer(self, high_water: int = ..., *, cancel: bool = True) -> BodyWriter:
        """A writer for a body that is sent piece by piece, at most `high_water` bytes (65,536 where nothing is said)
        ahead of the client. For route kinds of plugins. A coroutine handler is cancelled when the client leaves, unless
        `cancel` is false: then only its next write tells. `RuntimeError` once the response is sent.

        For example:

            writer = resp.writer()
            writer.start()
            writer.write("piece")
            writer.close()
        """

    def switch_protocol(
        self, protocol: UpgradeProtocol, headers: Sequence[tuple[str, str]] | None = None
    ) -> ProtocolSwitch:
        """Answers 101 once the handler has returned, and gives the connection to `protocol` (RFC 9110, section 7.8).

        A coroutine handler may await it: the 101 goes out then, the result is the transport, and the connection is
        closed when the handler returns. `ClientDisconnected` where the client has left before; what `connection_made`
        raises. `RuntimeError` in a plain handler, and where something else has become the answer.

        `headers` are those of the 101, `Upgrade` among them, in place of what has been set of their names (cookies are
        added); `Connection` is added. A protocol that does not get the
        connection after all gets `connection_lost`, and nothing else. `HttpError` 426 for a request that cannot switch:
        one over HTTP/2, or without `Upgrade`.

        For example:

            transport = await resp.switch_protocol(protocol, [("Upgrade", "echo/1")])
        """

    def client_disconnected(self) -> Awaitable[None]:
        """Waits until the client has left, or has ended its side of an HTTP/1.1 connection; until the answer has been
        given where it does neither. For coroutine handlers: `RuntimeError` anywhere else.

        For example:

            left = asyncio.ensure_future(resp.client_disconnected())
            await asyncio.wait([left, work], return_when=asyncio.FIRST_COMPLETED)
        """

    def after(self, function: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Calls `function(*args)` once the answer is out, or its client gone: a plain function on the pool, a coroutine
        function on the worker's event loop; several in order. None is called where the handler, a middleware or the
        body raised anything.

        What it raises is logged, and goes to `slime_exception` (`where` is `after`). `TypeError` for what cannot be
        called, `RuntimeError` once the handler has ended.

        For example:

            resp.after(send_mail, user.address)
        """

    # What slimeweb's Python half adds (slimeweb/_members.py).
    def set_cookie(
        self,
        key: str,
        value: str,
        *,
        path: str = "/",
        domain: str | None = None,
        max_age: float | timedelta | None = None,
        expires: datetime | date | timedelta | float | str | None = None,
        secure: bool = False,
        http_only: bool = True,
        same_site: str | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Sets a cookie (RFC 6265bis); of one that is set twice the last counts.

        `max_age` is in seconds, or a `timedelta`; `expires` a moment (naive means UTC), a day, a `timedelta` from now,
        seconds since the epoch, or an HTTP date as text. `same_site` is `Lax`, `Strict`, `None` as text, or `None` for
        no such attribute. Name, value and attributes have at most 4,096 bytes together.

        `ValueError` for what a cookie cannot hold or browsers would drop, `TypeError` for a value that is no text.

        For example:

            resp.set_cookie("theme", "dark", max_age=timedelta(days=365))
        """

    def delete_cookie(
        self,
        key: str,
        path: str = "/",
        domain: str | None = None,
        *,
        secure: bool = False,
        http_only: bool = True,
        same_site: str | None = "Lax",
        partitioned: bool = False,
    ) -> None:
        """Makes browsers forget a cookie: the one that was set with this `path`, `domain` and `partitioned`. Raises as
        `set_cookie` does.

        For example:

            resp.delete_cookie("theme")
        """

    def set_sign_cookie(self, key: str, value: str, secret: str | None = None, **attributes: Any) -> None:
        """Sets a cookie that only this application can have set: its value is readable, and signed with `secret`, or
        with the application's key where there is none. The attributes are those of `set_cookie`, which this raises as
        well.

        For example:

            resp.set_sign_cookie("user", "ada", max_age=86400)
        """

@final
class SlimeFile:
    """One uploaded file: in memory while small, else on disk (mode 0600), gone with the request unless saved."""

    @property
    def field(self) -> str:
        """The name of the form field that it came in.

        For example:

            pictures = [file for file in req.file if file.field == "picture"]
        """

    @property
    def filename(self) -> str:
        """A unique name made here: nothing of the client's is in it but the extension.

        For example:

            file.save(file.filename, directory="uploads")
        """

    @property
    def original_filename(self) -> str:
        """The name that the client gave. Text to show, never a path to open.

        For example:

            return resp.plain(f"thank you for {file.original_filename}")
        """

    @property
    def extension(self) -> str:
        """The client's extension without the dot, letters and digits only; empty where there is none.

        For example:

            if file.extension not in ("png", "jpg"): ...
        """

    @property
    def content_type(self) -> str:
        """The content type that the client gave. It may be wrong.

        For example:

            if file.content_type != "image/png": ...
        """

    @property
    def file_path(self) -> str:
        """The path of the file on disk, where it is written now if it was in memory so far. `FileNotFoundError` after
        `clean()`, `OSError` where it cannot be written.

        For example:

            picture = Image.open(file.file_path)
        """

    @property
    def file_size(self) -> int:
        """Its length in bytes.

        For example:

            if file.file_size > 1_000_000: ...
        """

    def read(self) -> bytes:
        """The whole content. `FileNotFoundError` after `clean()`.

        For example:

            rows = file.read().decode().splitlines()
        """

    def save(self, new_filename: str | PathLike[str], directory: str | PathLike[str] | None = None) -> None:
        """Keeps the file at the path `new_filename`, relative to the working directory or absolute: all of it or
        nothing, in the place of a file that is there. With a `directory` it is kept there, and `new_filename` must not
        lead out of it.

        `ValueError` for a name that is none, or would leave the directory; `OSError` where the file cannot be written;
        `FileNotFoundError` after `clean()`.

        For example:

            file.save(file.original_filename, directory="uploads")
        """

    def clean(self) -> None:
        """Removes the temporary file now instead of with the request. A saved file stays.

        For example:

            file.clean()
        """

@final
class BodyChunks:
    """A request body, piece by piece as it arrives: `for` in a sync handler, `async for` in an async one."""

    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def __anext__(self) -> Awaitable[bytes]: ...

@final
class BodyWriter:
    """Writes a response body piece by piece, as fast as the client reads it.

    `write` blocks the handler's thread while the buffer is full; on an event loop, `try_write` and `drain` do the same
    without blocking. Each takes `bytes`, or `str` that is sent as UTF-8, and raises `ClientDisconnected` once the
    client is gone. They may be called from several threads: a piece stays in one piece.
    """

    def start(self) -> None:
        """Sends status and headers. `RuntimeError` when that has been done, `ClientDisconnected` when the client has
        left.

        For example:

            writer.start()
        """

    @property
    def started(self) -> bool:
        """Whether status and headers have been sent.

        For example:

            if not writer.started:
                writer.start()
        """

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be written any more: closed here, or the client is gone.

        For example:

            while not writer.is_closed: ...
        """

    def write(self, data: bytes | str) -> None:
        """Sends `data`, waiting until there is room for it. Not for an event loop's thread: it would stop there.

        `RuntimeError` before `start()` and after `close()`.

        For example:

            writer.write(b"piece")
        """

    def try_write(self, data: bytes | str) -> bool:
        """Sends `data` if there is room: `False`, and nothing sent, when there is not, or another thread is writing.
        Await `drain()` then. Raises as `write` does.

        For example:

            while not writer.try_write(piece):
                await writer.drain()
        """

    def drain(self) -> Awaitable[None]:
        """A future of the running loop that is done once there is room, or the client is gone. `RuntimeError` where no
        event loop runs.

        For example:

            await writer.drain()
        """

    def close(self) -> None:
        """Ends the body: the client sees a complete answer. `RuntimeError` before `start()`.

        For example:

            writer.close()
        """

    def stop(self) -> None:
        """Ends the body because the server is about to: the client sees a complete answer, a coroutine handler is
        cancelled, and later writes raise `ClientDisconnected`. For bodies without an end of their own, such as event
        streams. Does nothing to a body that has not been started, or has been ended.

        For example:

            writer.stop()
        """

    def abort(self) -> None:
        """Cuts the connection once what was written is out, so that the client can tell that the answer is incomplete;
        over HTTP/2 the stream alone is reset.

        For example:

            writer.abort()
        """

@final
class ProtocolSwitch:
    """What `resp.switch_protocol` gives: it can be awaited by a coroutine handler, once."""

    def __await__(self) -> Generator[Any, None, Transport]: ...

@final
class Transport:
    """The connection after a protocol switch, in the terms of `asyncio.Transport`."""

    def write(self, data: bytes) -> None:
        """Queues bytes to be sent. Beyond the high-water mark the protocol's `pause_writing` is called. Does nothing on
        a closed connection.

        For example:

            transport.write(b"hello")
        """

    def close(self) -> None:
        """Closes the connection once what is queued has been sent.

        For example:

            transport.close()
        """

    def abort(self) -> None:
        """Closes the connection now; what is queued is lost.

        For example:

            transport.abort()
        """

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be.

        For example:

            if transport.is_closing(): ...
        """

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername` (host and port, or `""` for a Unix socket) and `scheme` (`http` or `https`); `default` for any
        other name.

        For example:

            host, port = transport.get_extra_info("peername")
        """

    def get_write_buffer_size(self) -> int:
        """How many bytes are queued and not yet handed to the socket.

        For example:

            waiting = transport.get_write_buffer_size()
        """

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Sets the marks, in bytes, beyond which the protocol is paused and below which it is resumed: 65,536 and a
        quarter of the high one where nothing is said. `ValueError` when `low` is above `high`.

        For example:

            transport.set_write_buffer_limits(high=1_000_000)
        """

    def pause_reading(self) -> None:
        """Stops `data_received` until `resume_reading`; the client is held back by TCP meanwhile.

        For example:

            transport.pause_reading()
        """

    def resume_reading(self) -> None:
        """Lets `data_received` be called again.

        For example:

            transport.resume_reading()
        """

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Calls back in the thread of the event loop that the protocol lives in, soon.

        For example:

            transport.call_soon(self.answer, result)
        """

    def call_plain(self, callback: Callable[..., object], *args: Any) -> bool:
        """Calls a plain function as plain handlers are called: on the loop's thread once calls from this route have
        shown to be fast, on a pool thread until then; the route's `blocking=` says it outright. It may block in either
        case, and finds no running loop.

        `False` when the pool has no place for it: nothing will be called then.

        For example:

            transport.call_plain(handler, message)
        """

    def call_in_pool(self, callback: Callable[..., object], *args: Any) -> bool:
        """Calls a plain function on a pool thread, where it may block. `False` when the pool is full: nothing will be
        called then.

        For example:

            transport.call_in_pool(compress, data)
        """

@final
class Server:
    """Listens from construction on; serves from `start` until `shutdown`."""

    def __new__(cls, app: Slime, settings: Settings) -> Server: ...
    @property
    def addresses(self) -> list[str]:
        """What it listens on: `127.0.0.1:3000`, or the path of a Unix socket."""

    @property
    def port(self) -> int:
        """The port it listens on; 0 for a Unix socket."""

    def start(
        self,
        routes: Sequence[CompiledRoute],
        mounts: Sequence[StaticMount],
        fallback: CompiledRoute | None,
        files: CompiledRoute | None,
        on_error: Callable[[SlimeRequest, SlimeResponse, BaseException, str], None],
        refuse_file: Callable[[SlimeRequest, SlimeResponse], None],
        on_exception: Callable[[BaseException, str, SlimeRequest | None], None] | None,
        on_sent: Callable[[Sequence[SentResponse], int], None] | None,
        call_after: Callable[[SlimeRequest, AfterFunctions, Context], None],
        request_members: Mapping[str, Callable[..., Any]],
        response_members: Mapping[str, Callable[..., Any]],
        resources: Sequence[Resources],
    ) -> None:
        """Begins to serve these routes; returns at once. `RuntimeError` when it has begun already."""

    def workers(self) -> list[WorkerHandle]:
        """The workers, one for each thread that reads and writes for connections."""

    def shutdown(self) -> None:
        """Stops taking connections, and lets what is in flight finish within the grace time."""

    def cut(self) -> None:
        """Closes every connection now."""

    def pending(self) -> tuple[int, int, int, dict[str, int]]:
        """What is in flight: requests, connections and functions that are not done, and requests by route."""

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until everything has ended, at most `timeout` seconds. False when it has not."""

    def is_busy(self) -> bool:
        """Whether a plain handler is at work, also one whose answer is out or whose client has left."""

    def stop(self, timeout: float = 1.0) -> bool:
        """Ends the threads of the server, waiting at most `timeout` seconds. False when some go on."""

@final
class WorkerHandle:
    """A worker, as the selector of its event loop uses it."""

    def attach(
        self,
        event_loop: AbstractEventLoop,
        fileno: int,
        on_ready: Callable[[list[tuple[int, int]] | None], bool],
        backup_loop: Callable[[], None],
    ) -> None:
        """Lets `event_loop` run on this worker: `on_ready` is called when file descriptors are ready."""

    def detach(self) -> None:
        """Ends what `attach` has begun."""

    def is_recalled(self) -> bool:
        """Whether the loop has to give its thread back."""

    def is_running(self) -> bool:
        """Whether the worker serves."""

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Handle:
        """Calls back on the worker's thread, as `loop.call_soon` does."""

    def wake_loop(self) -> None:
        """Ends a `select` that waits."""

    def select(self, timeout: float | None) -> bool:
        """Serves the worker's connections until something is ready for the loop, at most `timeout` seconds."""

@final
class HandlerCoroutine:
    """The coroutine of the task that runs a coroutine handler."""

    def send(self, value: Any) -> Any:
        """Goes on, to where it waits next."""

    def throw(self, *exception: Any) -> Any:
        """Goes on with an exception where it waits."""

    def close(self) -> None:
        """Ends it where it waits."""

@final
class Handle:
    """A scheduled call, like `asyncio.Handle`."""

    def cancel(self) -> None:
        """Prevents the call, if it has not begun."""

    def cancelled(self) -> bool:
        """Whether it was cancelled."""

    def get_context(self) -> Context:
        """The context that it runs in."""

@final
class LoopSocket:
    """What a transport has in place of its socket: it reads and writes without giving up the GIL."""

    def __new__(cls, socket: socket) -> LoopSocket: ...
    def recv(self, size: int) -> bytes:
        """As `socket.recv`: at most `size` bytes; `BlockingIOError` when there are none yet."""

    def recv_into(self, buffer: WriteableBuffer) -> int:
        """As `socket.recv_into`: how many bytes it has put into `buffer`."""

    def send(self, data: ReadableBuffer) -> int:
        """As `socket.send`: how many bytes the system has taken."""

@final
class ClientWait:
    """What `waiting_for_client()` gives: a context manager for one thread."""

    def __enter__(self) -> None: ...
    def __exit__(self, *_exception: object) -> None: ...

def forget_server() -> None:
    """Forgets the server of the parent process, after a fork."""

def waiting_for_client() -> ClientWait:
    """A context manager around a wait for the client of a plain function: until it reads, or sends.

    The thread does not count for `pool_threads` meanwhile. Enter it only where there is something to wait for, in one
    thread, and see to it that the wait ends with the connection.

    For example:

        with waiting_for_client():
            room.wait()
    """

def call_in_pool(callback: Callable[..., object], *args: Any) -> bool:
    """Calls `callback(*args)` on a thread of the pool of the server that the calling thread works for. False, and
    nothing called, when the pool is full. `RuntimeError` on a thread that is not the server's.
    """

def json_loads(data: bytes, /) -> Any:
    """JSON text (RFC 8259) as Python values. `JsonError` for what is none."""

def json_dumps(value: Any, default: Callable[[Any], Any] | None = None, /) -> bytes:
    """A value as JSON text in UTF-8; `default` is called with what is not a JSON type. `TypeError` or `ValueError`
    names the place that JSON cannot hold.
    """

def parse_path(pattern: str, /) -> list[tuple[str, tuple[str, str] | None, str]]:
    """A path pattern, `/users/{id:int}`, as the router reads it: for what stands between two slashes, the text before
    the parameter, its name and kind, and the text behind it.

    Raises `ValueError` saying what is wrong with it.
    """

def choose_encoding(field: str | None, offered: Sequence[str], /) -> tuple[str | None, bool]:
    """Which of the `offered` codings a client gets, by the value of its Accept-Encoding (RFC 9110, section 12.5.3), and
    whether it refuses a body as it is.

    It is the one that the client likes best, of equals the first; `None` for a body as it is. A coding whose weight
    cannot be understood is refused, and one that is named twice has the lower weight. 64 members are read.

        >>> choose_encoding("zstd, br;q=0.5", ["br", "zstd"])
        ('zstd', False)
    """

def split_parameters(value: str, /) -> tuple[str, list[tuple[str, str | None]]]:
    """A field's value before its first `;`, and the parameters behind it (RFC 9110, section 5.6.6): quotes and escapes
    are taken off, names are as they were written, and a parameter without `=` has the value `None`.

    Raises `ValueError` where a quoted value has no end, or text behind its end.

        >>> split_parameters('text/plain; charset="utf-8"')
        ('text/plain', [('charset', 'utf-8')])
    """

def split_list(field: str, /) -> list[str]:
    """The members of a field that is a list (RFC 9110, section 5.6.1). A comma in a quoted value separates nothing;
    empty members are left out.

        >>> split_list('a;b="c, d", e')
        ['a;b="c, d"', 'e']
    """
