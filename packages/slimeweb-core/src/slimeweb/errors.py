"""Every error that slimeweb raises, under one base."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NotRequired, TypedDict
from urllib.parse import quote

from slimeweb.tokens import FIELD_VALUE, TOKEN

__all__ = [
    "ClientDisconnected",
    "ConfigError",
    "FieldError",
    "FileMissing",
    "FormError",
    "HttpError",
    "IncompleteBody",
    "InvalidHandler",
    "InvalidMiddlewareHandlerType",
    "JsonError",
    "MethodException",
    "MissingField",
    "MultipleRouteException",
    "Place",
    "PluginError",
    "ResourceError",
    "RouteHandlerNotFoundException",
    "SlimeError",
    "UrlError",
    "ValidationFailed",
    "field_error",
    "phrase",
]


class SlimeError(Exception):
    """The base of all errors that slimeweb raises on purpose."""


class MethodException(SlimeError):
    """A method that is not an HTTP method name (RFC 9110, section 9.1)."""


class MultipleRouteException(SlimeError):
    """Two routes would answer the same path and method."""


class RouteHandlerNotFoundException(SlimeError):
    """Middleware was declared for a route that does not exist, or not yet."""


class InvalidHandler(SlimeError):
    """A handler that cannot be called as slimeweb calls it, or a path pattern that cannot be matched."""


class InvalidMiddlewareHandlerType(SlimeError):
    """Middleware that cannot serve its route (async around sync, or the reverse for a function), or is no
    `SlimeMiddleware` instance.
    """


class PluginError(SlimeError):
    """A plugin that broke the contract. The message names the plugin, its distribution and the hook; `plugin` is its
    name alone, empty where that is not known.
    """

    def __init__(self, *args: object, plugin: str = "") -> None:
        super().__init__(*args)
        self.plugin = plugin


class ConfigError(SlimeError):
    """A setting that cannot be used, or an application that is being changed after it has started."""


class UrlError(SlimeError):
    """A name, parameter or query that `url_for` has no URL for. The message says what to type instead."""


class ResourceError(SlimeError):
    """A resource of the application or of a worker has failed, at the start or while it was used: names both. Its
    `__cause__` is what was raised.

    For example:

        try:
            app.serve()
        except ResourceError as error:
            logger.critical("%s", error)
    """


class ClientDisconnected(SlimeError):
    """The client went away before the answer was complete. Raised by writes, so that a handler ends."""


class HttpError(SlimeError):
    """Raised in a handler, it becomes the response.

    `status` is the status code, 400 to 599; `detail` the body, shown to the client as it is (the status's own name
    when empty): text, or a dict or list for a JSON body; `headers` are added to the response. `ValueError` for another
    status or a header that cannot be sent, `TypeError` for another detail.

        raise HttpError(404, "no such student")
        raise HttpError(409, {"code": 17, "field": "email"})
    """

    # For derived classes that do not call this one's __init__.
    status: int = 500
    detail: str | dict[str, Any] | list[Any] = ""
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self, status: int, detail: str | dict[str, Any] | list[Any] = "", headers: Mapping[str, str] | None = None
    ) -> None:
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(f"HttpError({status!r}): the status comes first, as a number: HttpError(404, detail)")
        if not 400 <= status <= 599:
            raise ValueError(
                f"HttpError needs an error status, 400 to 599, not {status}: use resp.set_status({status})"
            )
        if not isinstance(detail, str | dict | list):
            raise TypeError(
                f"HttpError({status}, {detail!r}): give text, or a dict or list for a JSON body; headers are "
                "HttpError(status, detail, headers={…})"
            )
        super().__init__(status, detail)
        self.status = int(status)
        self.detail = detail
        self.headers = _checked(headers)

    def __str__(self) -> str:
        return f"{self.status} {self.detail or phrase(self.status)}"


def _checked(headers: Mapping[str, str] | None) -> dict[str, str]:
    fields = dict(headers or {})
    for name, value in fields.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"HttpError(headers={{{name!r}: {value!r}}}): give text, such as {{{str(name)!r}: {str(value)!r}}}"
            )
        if not TOKEN.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
            raise ValueError(
                f"HttpError(headers={{{name!r}: {value!r}}}): a header's name is letters, digits and '-', "
                "its value has no line breaks or other control characters"
            )
    return fields


class IncompleteBody(HttpError, ClientDisconnected):
    """The client left before it had sent the whole body: a 400, which it does not read. Raised by `req.chunks()`."""


class FileMissing(HttpError):
    """`resp.file` was given the path of no file: a 404 that does not tell the client which. `path` has it."""

    def __init__(self, path: Path) -> None:
        super().__init__(404)
        self.path = path


class JsonError(HttpError):
    """The body says it is JSON and is not (RFC 8259): a 400 that tells where."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


class FormError(HttpError):
    """The body says it is a form and is not (RFC 7578, WHATWG URL): a 400 that tells why."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


Place = Literal["body", "query", "path", "header", "cookie"]
"""The part of a request that a value is in: OpenAPI's words, and `body`."""

FieldError = TypedDict(
    "FieldError",
    {"in": Place, "loc": list[str | int], "pointer": NotRequired[str], "detail": str, "type": str},
)
"""One value of a request that does not fit, as a client is told: where (`loc` is the way to it; `pointer`, in a body,
the same as a JSON pointer in a URL's fragment, RFC 6901), what is wrong, and a name for that. Never the value itself.
"""


def field_error(
    place: Place, loc: Sequence[str | int], detail: str, kind: str, *, pointer: Sequence[str | int] | None = None
) -> FieldError:
    """A `FieldError`. `pointer` is the way to the value in a body, where it is not `loc`.

    field_error("query", ["page"], "Input should be greater than 0", "greater_than")
    """
    error: FieldError = {"in": place, "loc": list(loc), "detail": detail, "type": kind}
    if place == "body":
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in (loc if pointer is None else pointer))
        error["pointer"] = "#" + "".join(f"/{quote(step, safe='~')}" for step in steps)
    return error


class ValidationFailed(HttpError):
    """Values of the request do not fit: a 422, whose body is a problem (RFC 9457) that lists them as `errors`.

    `errors` has the first hundred of them; `count` says how many there are, where that are more. What pydantic or
    msgspec raised is its `__cause__`.

        raise ValidationFailed([field_error("query", ["to"], "is before from", "order")])
    """

    def __init__(self, errors: Iterable[FieldError], count: int = 0) -> None:
        # As many as a client can make use of: the answer to a large body must not be larger yet.
        self.errors = tuple(islice(errors, 100))
        self.count = count = max(count, len(self.errors))
        listed = f"; the first {len(self.errors)} are listed" if count > len(self.errors) else ""
        super().__init__(422, "1 value is not valid" if count == 1 else f"{count} values are not valid{listed}")


_ANSWER = "_slimeweb_answer"


def becomes(failure: Exception, make: Callable[[Exception], HttpError]) -> None:
    """Makes `make(failure)` the answer to an exception of a library's, where no `@app.error` has one for it."""
    vars(failure)[_ANSWER] = make


def answer_of(failure: BaseException) -> HttpError | None:
    """What an exception becomes, once: `None` where `becomes` was not called for it."""
    make = vars(failure).pop(_ANSWER, None)
    if make is None:
        return None
    answer: HttpError = make(failure)
    answer.__cause__ = failure
    return answer


_FIELDS: dict[Place, str] = {
    "query": "query parameter",
    "body": "form field",
    "header": "header",
    "cookie": "cookie",
    "path": "path parameter",
}


class MissingField(KeyError, HttpError):
    """`req.query["page"]` and the like, where the request has none: a 400 that names it. `name` is its name, `place`
    the part of the request; `errors` says the same as in `ValidationFailed`.
    """

    def __init__(self, name: str, place: Place) -> None:
        detail = f'missing {_FIELDS[place]} "{name}"'
        HttpError.__init__(self, 400, detail)
        self.args = (name, place)
        self.name = name
        self.place = place
        self.errors = (field_error(place, [name], detail, "missing"),)

    __str__ = HttpError.__str__


def phrase(status: int) -> str:
    """The name of a status, as in RFC 9110, section 15: `Not Found` for 404."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
