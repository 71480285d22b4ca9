"""Sessions in signed cookies: `req.session` is a dictionary, and what is changed in it is there the next time."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence

from slimeweb import RouteSpec, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl

__all__ = ["Sessions"]

COOKIE = "session"


class LoadSession(SlimeMiddleware):
    """Sets `req.session`, and keeps what it held as text: a change inside of a list in it is a change too."""

    def __init__(self, max_age: float) -> None:
        self.max_age = max_age

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        value = req.get_signed_cookie(COOKIE, max_age=self.max_age)
        req.session_before = urlsafe_b64decode(value).decode() if value else "{}"
        req.session = json.loads(req.session_before)


class Sessions:
    """The cookie is signed with `app.secret_key` and read by whoever has it: no place for secrets."""

    def __init__(self, max_age: float = 14 * 24 * 3600) -> None:
        self.max_age = max_age

    @hookimpl
    def slime_app_middleware(self) -> Sequence[SlimeMiddleware]:
        return [LoadSession(self.max_age)]

    @hookimpl
    def slime_response_head(self, route: RouteSpec | None) -> Callable[[SlimeRequest, SlimeResponse], None]:
        """Sets the cookie late, so that a stream that has not begun can still change the session."""

        def save(req: SlimeRequest, resp: SlimeResponse) -> None:
            # Static files go past the middleware.
            if not hasattr(req, "session"):
                return
            text = json.dumps(req.session)
            if text == req.session_before:
                return
            if req.session:
                value = urlsafe_b64encode(text.encode()).decode()
                resp.set_sign_cookie(COOKIE, value, max_age=self.max_age, secure=req.scheme == "https")
            else:
                resp.delete_cookie(COOKIE)

        return save
