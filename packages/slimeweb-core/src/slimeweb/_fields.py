"""The dicts of a request's fields, in which one that is missing is the client's mistake."""

from __future__ import annotations

from typing import NoReturn

from slimeweb.errors import MissingField

__all__ = ["CookieFields", "FormFields", "QueryFields"]


class QueryFields(dict[str, str]):
    """`req.query`."""

    __slots__ = ()

    def __missing__(self, name: str) -> NoReturn:
        raise MissingField(name, "query")


class FormFields(dict[str, str]):
    """`req.form`."""

    __slots__ = ()

    def __missing__(self, name: str) -> NoReturn:
        raise MissingField(name, "body")


class CookieFields(dict[str, str]):
    """`req.get_cookies()`."""

    __slots__ = ()

    def __missing__(self, name: str) -> NoReturn:
        raise MissingField(name, "cookie")
