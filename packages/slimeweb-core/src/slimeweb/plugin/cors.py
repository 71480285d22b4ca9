"""Cross-origin resource sharing (the Fetch standard, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slimeweb.methods import parse_methods
from slimeweb.middleware import SlimeMiddleware

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["Cors"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Cors(SlimeMiddleware):
    """Lets pages of other origins use the routes it is used on, and answers browsers' preflights with 204.

    `origins` is `"*"` for any, or a list of exact ones, as browsers send them: scheme, host and port, no path.
    `methods` and `headers` are what a page may use (`headers="*"`: whatever it asks for), `expose` the response
    headers it may read, `max_age` for how many seconds a browser may keep the preflight's answer. With `credentials`
    cookies are sent along; that needs exact origins, since any page on the web could act as the user otherwise:
    `ValueError`.
    """

    answers_options = True

    def __init__(
        self,
        origins: str | Sequence[str] = "*",
        *,
        methods: Sequence[str] = _METHODS,
        headers: str | Sequence[str] = "*",
        credentials: bool = False,
        expose: Sequence[str] = (),
        max_age: int = 600,
    ) -> None:
        listed = (origins,) if isinstance(origins, str) else tuple(origins)
        if "*" in listed and credentials:
            raise ValueError(
                "Cors(credentials=True) needs exact origins: Cors(origins=['https://example.com'], credentials=True)"
            )
        for origin in listed:
            if origin not in ("*", "null") and ("://" not in origin or origin.count("/") > 2):
                raise ValueError(
                    f"Cors: {origin!r} is not an origin: give scheme, host and port alone, like 'https://example.com'"
                )
        self._any = "*" in listed
        self._origins = frozenset(listed)
        self._methods = ", ".join(parse_methods(methods))
        self._headers = None if headers == "*" else headers if isinstance(headers, str) else ", ".join(headers)
        self._credentials = credentials
        self._expose = ", ".join(expose)
        self._max_age = str(int(max_age))

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse | None:
        """Sets the headers before anything is sent, so that streams and errors have them too."""
        origin = req.header.get("origin")
        requested = req.header.get("access-control-request-method") if req.method == "OPTIONS" else None
        if not self._any:
            # Caches must not give one origin's answer to another; that holds for answers without Origin as well.
            resp.add_header("Vary", "Origin")
        if origin is None:
            return None
        allowed = self._any or origin in self._origins
        if allowed:
            resp.set_header("Access-Control-Allow-Origin", "*" if self._any else origin)
            if self._credentials:
                resp.set_header("Access-Control-Allow-Credentials", "true")
        if requested is None:
            if allowed and self._expose:
                resp.set_header("Access-Control-Expose-Headers", self._expose)
            return None
        if allowed:
            self._permit(req, resp)
        return resp.empty(204)

    def _permit(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_header("Access-Control-Allow-Methods", self._methods)
        resp.set_header("Access-Control-Max-Age", self._max_age)
        headers = self._headers
        if headers is None:
            headers = req.header.get("access-control-request-headers", "")
            resp.add_header("Vary", "Access-Control-Request-Headers")
        if headers:
            resp.set_header("Access-Control-Allow-Headers", headers)
