"""Methods of requests and responses that are made in Python: slimeweb's own, and those that plugins add."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from slimeweb._cookies import cookie_identity, format_cookie, format_deletion, parse_cookies
from slimeweb._known_plugins import hint
from slimeweb._plugin_manager import PluginManager
from slimeweb._signing import sign, unsign
from slimeweb._validation import validating_members
from slimeweb.spelling import suggestion

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.app import Slime

__all__ = ["missing_attribute", "request_members", "response_members"]

Members = Mapping[str, Callable[..., Any]]


def request_members(app: Slime, plugins: PluginManager, core: type) -> Members:
    """Everything that `core`, the request class, gets beside what it has in Rust. `PluginError` for a name that is
    taken.
    """

    def get_cookies(req: SlimeRequest) -> dict[str, str]:
        """The request's cookies."""
        # HTTP/2 may split the field into several (RFC 9113, section 8.2.3).
        return parse_cookies("; ".join(req.header_all("cookie")))

    def get_signed_cookie(
        req: SlimeRequest, key: str, max_age: float | None = None, *, secret: str | None = None
    ) -> str | None:
        """A signed cookie's value; `None` when there is none, it was changed, or it is older than `max_age` seconds.

        `secret` is the one that `set_sign_cookie` was given, where it was.
        """
        signed = get_cookies(req).get(key)
        return (
            None if signed is None else unsign(key, signed, (secret,) if secret else app.secret_keys, max_age=max_age)
        )

    def get_state(req: SlimeRequest, key: str) -> Any:
        """The application state's value for `key`, `None` when there is none."""
        return app.state.get(key)

    def update_state(req: SlimeRequest, key: str, value: Any) -> None:
        """Sets the application state's value for `key`."""
        app.state[key] = value

    def url_for(
        req: SlimeRequest,
        name: str,
        /,
        *,
        query: Mapping[str, Any] | None = None,
        absolute: bool = False,
        **params: Any,
    ) -> str:
        """The path of the route of that name, as `app.url_for` has it; `.show` is that of the router which the
        request's own route is of. With `absolute` scheme and host of the request stand before it.
        """
        path = app._url_for(name, query, params, app._route_of(req))
        return f"{req.scheme}://{req.host}{path}" if absolute else path

    functions = (get_cookies, get_signed_cookie, get_state, update_state, url_for)
    own = {function.__name__: function for function in functions}
    return _joined({**own, **validating_members()}, plugins, "slime_request_members", core, app)


def response_members(app: Slime, plugins: PluginManager, core: type) -> Members:
    """Everything that `core`, the response class, gets beside what it has in Rust. `PluginError` for a name that is
    taken.
    """

    def set_cookie(resp: SlimeResponse, key: str, value: str, **attributes: Any) -> None:
        """Sets a cookie. `ValueError` for what a cookie cannot hold; the attributes are those of `format_cookie`. Of a
        cookie that is set twice the last counts.
        """
        _check_names("set_cookie", attributes)
        _put_cookie(resp, format_cookie(key, value, **attributes))

    def delete_cookie(
        resp: SlimeResponse, key: str, path: str = "/", domain: str | None = None, **attributes: Any
    ) -> None:
        """Makes browsers forget a cookie that was set with this `path` and `domain`; the attributes are those of
        `format_deletion`.
        """
        _check_names("delete_cookie", attributes)
        _put_cookie(resp, format_deletion(key, path=path, domain=domain, **attributes))

    def set_sign_cookie(
        resp: SlimeResponse, key: str, value: str, secret: str | None = None, **attributes: Any
    ) -> None:
        """Sets a cookie that only this application can have set: signed with `secret`, or with the application's
        key.
        """
        if not isinstance(value, str):
            raise TypeError(f"set_sign_cookie: the value of {key!r} is {value!r}, not text: give {str(value)!r}")
        _check_names("set_sign_cookie", attributes)
        set_cookie(resp, key, sign(key, value, secret or app.secret_keys[0]), **attributes)

    own = {function.__name__: function for function in (set_cookie, set_sign_cookie, delete_cookie)}
    return _joined(own, plugins, "slime_response_members", core, app)


_ATTRIBUTES = ("path", "domain", "max_age", "expires", "secure", "http_only", "same_site", "partitioned")


def _check_names(method: str, attributes: Mapping[str, Any]) -> None:
    """`TypeError` for an attribute that cookies do not have, with what may be meant."""
    for name in attributes:
        if name not in _ATTRIBUTES:
            raise TypeError(f"{method}() has no argument {name!r}: {suggestion(name, _ATTRIBUTES)}")


def _put_cookie(resp: SlimeResponse, line: str) -> None:
    """Adds a Set-Cookie header in the place of one for the same cookie."""
    lines = resp.header_all("Set-Cookie")
    identity = cookie_identity(line)
    others = [each for each in lines if cookie_identity(each) != identity]
    if len(others) < len(lines):
        resp.remove_header("Set-Cookie")
        for other in others:
            resp.add_header("Set-Cookie", other)
    resp.add_header("Set-Cookie", line)


def missing_attribute(owner: str, name: str) -> AttributeError:
    """The error for an attribute of a request or response that neither slimeweb nor an installed plugin has.

    `owner` is the class's name, `SlimeRequest` or `SlimeResponse`.
    """
    kind = "request_members" if owner == "SlimeRequest" else "response_members"
    advice = hint(kind, name)
    return AttributeError(f"{owner} has no attribute {name!r}" + (f": {advice}" if advice else ""), name=name)


def _joined(own: dict[str, Callable[..., Any]], plugins: PluginManager, hook: str, core: type, app: Slime) -> Members:
    def taken(name: str) -> str | None:
        return "slimeweb itself" if name in own or name in dir(core) else None

    return MappingProxyType({**own, **plugins.table(hook, taken, callables=True, app=app)})
