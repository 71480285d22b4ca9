"""Entity tags for answers that are in memory, and 304 for clients that have them (RFC 9110, sections 8.8.3 and 13.1.2).

Streams have none, and files that the server sends have their own. A tag that the handler has set is used as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b

from slimeweb import RouteSpec, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.header import split_list

__all__ = ["ETag"]


class ETag:
    """The plugin."""

    @hookimpl
    def slime_app_middleware(self) -> Sequence[SlimeMiddleware]:
        """Tags whole answers, before any filter changes them."""
        return [_Tagging()]

    @hookimpl
    def slime_response_head(self, route: RouteSpec | None) -> Callable[[SlimeRequest, SlimeResponse], None] | None:
        """Turns them into a 304. Here, since Vary and the tag are by now what filters have made of them."""
        return _not_modified if route and {"GET", "*"} & set(route.methods) else None


class _Tagging(SlimeMiddleware):
    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        if req.method in ("GET", "HEAD") and resp.status == 200 and resp.body is not None:
            if "etag" not in resp.headers:
                resp.set_header("ETag", f'"{blake2b(resp.body, digest_size=16).hexdigest()}"')
            req.etag_is_set = True


def _not_modified(req: SlimeRequest, resp: SlimeResponse) -> None:
    if not getattr(req, "etag_is_set", False) or resp.status != 200:
        return
    known = [_opaque(tag) for tag in split_list(", ".join(req.header_all("if-none-match")))]
    if _opaque(resp.headers["etag"]) in known or known == ["*"]:
        resp.set_status(304)


def _opaque(tag: str) -> str:
    """What the weak comparison compares (section 8.8.3.2)."""
    return tag.removeprefix("W/")
