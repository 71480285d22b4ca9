"""What a server has answered, for the clients of `slimeweb.testing`."""

from __future__ import annotations

import json as jsonlib
from dataclasses import dataclass
from typing import Any

from slimeweb._cookie_jar import SetCookie
from slimeweb.header import split_parameters

__all__ = ["HeaderDict", "TestResponse"]


class HeaderDict(dict[str, str]):
    """Headers by name, which are kept in lower case and found in any."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name.lower() if isinstance(name, str) else name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a header, else `default`."""
        return super().get(name.lower(), default)


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
