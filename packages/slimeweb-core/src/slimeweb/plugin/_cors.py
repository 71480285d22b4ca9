"""Cross-origin resource sharing (the Fetch standard, section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from slimeweb.methods import ANY, parse_methods
from slimeweb.middleware import SlimeMiddleware
from slimeweb.origins import Origins
from slimeweb.tokens import TOKEN

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["Cors"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Origins that no pattern which names its hosts can match.
_ANYBODY = ("null", "https://4f1c9d02.invalid", "http://4f1c9d02.invalid")


class Cors(SlimeMiddleware):
    """Lets pages of other origins use the routes it is used on, and answers browsers' preflights with 204.

    `origins` is `"*"` for any, one origin, or a list of them: scheme, host and port, no path. `https://*.example.com`
    stands for every host below example.com. `origin_pattern` is a regular expression for further origins, which has
    to match all of one as browsers send it: lower case, no default port.

    `methods` and `headers` are what a page may use (`"*"`: whatever it asks for), `expose` the response headers it
    may read; each is one name, names with commas between, or a list. `max_age` is for how many seconds a browser may
    keep the preflight's answer. With `credentials` cookies are sent along; that needs origins that are named, since
    any page on the web could act as the user otherwise. `allow_private_network` lets public pages use this server
    where it is in a private network.

    Of several around a route the innermost counts: a route's own rather than the application's. Used for every path, it
    is for static files as well, but for those of a `static_route` whose `headers` have an Access-Control-Allow-Origin.
    `ValueError` for what would be unsafe or have no effect.
    """

    answers_options = True
    replaces_outer = True
    covers_files = True

    def __init__(
        self,
        origins: str | Iterable[str] | None = None,
        *,
        origin_pattern: str | re.Pattern[str] | None = None,
        methods: str | Iterable[str] = _METHODS,
        headers: str | Iterable[str] = "*",
        credentials: bool = False,
        expose: str | Iterable[str] = (),
        max_age: int = 600,
        allow_private_network: bool = False,
    ) -> None:
        if origins is None:
            origins = "*" if origin_pattern is None else ()
        listed = _listed("origins", origins)
        if not listed and origin_pattern is None:
            raise ValueError("Cors(origins=[]) lets nobody in: name an origin, such as 'https://example.com'")
        exposed = _names("expose", expose)
        if credentials:
            if "*" in listed or "null" in listed:
                # Any page can make itself an origin "null", by a sandboxed frame.
                raise ValueError(
                    "Cors(credentials=True) needs exact origins, not '*' or 'null': "
                    "Cors(origins=['https://example.com'], credentials=True)"
                )
            if "*" in exposed:
                raise ValueError(
                    "Cors(credentials=True) needs exact names in expose, where '*' would have no effect: "
                    "Cors(expose=['X-Total'], …)"
                )
        for flag, value in (("credentials", credentials), ("allow_private_network", allow_private_network)):
            if not isinstance(value, bool):
                raise ValueError(f"Cors({flag}={value!r}): give True or False")
        self._any = "*" in listed
        patterns = [] if origin_pattern is None else [_compiled(origin_pattern)]
        if credentials and any(pattern.fullmatch(probe) for pattern in patterns for probe in _ANYBODY):
            raise ValueError(
                f"Cors(origin_pattern={origin_pattern!r}, credentials=True) lets pages of anybody in, who could act as "
                "the user: name the hosts in the pattern"
            )
        ones = (origin for origin in listed if origin != "*")
        self._origins = Origins("Cors", ones, patterns, "; origin_pattern=… takes a regular expression")
        allowed = parse_methods(_names("methods", methods))
        self._methods = None if ANY in allowed else ", ".join(allowed)
        named = _names("headers", headers)
        self._headers = None if "*" in named else ", ".join(named)
        self._credentials = bool(credentials)
        self._expose = ", ".join(exposed)
        if isinstance(max_age, bool) or not isinstance(max_age, int) or max_age < 0:
            raise ValueError(f"Cors(max_age={max_age!r}): give a number of seconds, 0 or more")
        self._max_age = str(max_age)
        self._private_network = bool(allow_private_network)

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse | None:
        """Sets the headers before anything is sent, so that streams and errors have them too."""
        if req.route is None and resp.header_all("Access-Control-Allow-Origin"):
            # A static route that says itself who may use it.
            return None
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
        # Of a static file it is the answer to other methods than a page may ask for with it.
        resp.remove_header("Allow")
        if allowed:
            self._permit(req, resp, requested)
        return resp.empty(204)

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        """Puts `Vary: Origin` back where a handler has set another Vary."""
        if not self._any and not resp.started and not _names_origin(resp.header_all("Vary")):
            resp.add_header("Vary", "Origin")

    def _permit(self, req: SlimeRequest, resp: SlimeResponse, requested: str) -> None:
        methods = self._methods
        if methods is None:
            # Not "*", which browsers take for a name where there are credentials.
            methods = requested
            resp.add_header("Vary", "Access-Control-Request-Method")
        if _is_list(methods):
            resp.set_header("Access-Control-Allow-Methods", methods)
        resp.set_header("Access-Control-Max-Age", self._max_age)
        headers = self._headers
        if headers is None:
            headers = req.header.get("access-control-request-headers", "")
            resp.add_header("Vary", "Access-Control-Request-Headers")
        if headers:
            resp.set_header("Access-Control-Allow-Headers", headers)
        if self._private_network and req.header.get("access-control-request-private-network") == "true":
            resp.set_header("Access-Control-Allow-Private-Network", "true")


def _listed(argument: str, given: object) -> list[str]:
    """One text, texts with commas between, or a list of them."""
    if isinstance(given, str):
        return [part.strip(" \t") for part in given.split(",")]
    items: list[Any] = list(given) if isinstance(given, Iterable) and not isinstance(given, bytes) else [given]
    for item in items:
        if not isinstance(item, str):
            raise ValueError(f"Cors({argument}={given!r}): {item!r} is not text; give a text or a list of texts")
    return items


def _names(argument: str, given: object) -> list[str]:
    names = [] if given == "" else _listed(argument, given)
    for name in names:
        if not TOKEN.fullmatch(name):
            raise ValueError(
                f"Cors({argument}=…): {name!r} is not a name: give names such as 'X-Total', or a list of them"
            )
    return names


def _compiled(pattern: Any) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(f"Cors(origin_pattern={pattern!r}) is not a regular expression: {error}") from error
    if not isinstance(compiled.pattern, str):
        raise ValueError(f"Cors(origin_pattern={pattern!r}): give text, not bytes")
    return compiled


def _is_list(methods: str) -> bool:
    """Whether it can go into a header: a client may ask for anything."""
    return all(TOKEN.fullmatch(name) for name in methods.split(", "))


def _names_origin(values: list[str]) -> bool:
    return any(name.strip().lower() in ("origin", "*") for value in values for name in value.split(","))
