"""MessagePack: what a handler returns is sent as such to clients that prefer it, and `req.msgpack()` reads bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from slimeweb import HandlerWrapper, HttpError, RouteSpec, SlimeRequest, hookimpl
from slimeweb.header import split_list, split_parameters
from slimeweb.json import default

__all__ = ["MessagePack"]

MEDIA_TYPE = "application/msgpack"


def quality(accept: str, media_type: str) -> float:
    """How much a client wants a type, 0 to 1: what names it most exactly counts (RFC 9110, section 12.5.1)."""
    ranges = [media_type, f"{media_type.partition('/')[0]}/*", "*/*"]
    found: dict[str, float] = {}
    for member in split_list(accept):
        name, parameters = split_parameters(member)
        try:
            found[name.lower()] = float(dict(parameters).get("q", "1"))
        except ValueError:
            continue
    return next((found[one] for one in ranges if one in found), 0.0)


def prefers_msgpack(req: SlimeRequest) -> bool:
    """Where both are as welcome, as for `*/*`, JSON is sent: what a person sees who looks at the address."""
    accept = req.header.get("accept", "*/*")
    return quality(accept, MEDIA_TYPE) > quality(accept, "application/json")


def negotiate(req: SlimeRequest, resp: Any, value: Any) -> Any:
    """A value that would become JSON becomes MessagePack instead; all other answers stay what they are."""
    if value is None or value is resp or isinstance(value, str | bytes):
        return value
    resp.add_header("Vary", "Accept")
    if not prefers_msgpack(req):
        return value
    # What MessagePack has no type for is what it would be in JSON.
    data = msgpack.packb(value, default=default)
    return resp.bytes(data, content_type=MEDIA_TYPE)


def wrap(route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
    def run(req: SlimeRequest, resp: Any) -> Any:
        return negotiate(req, resp, handler(req, resp))

    async def run_async(req: SlimeRequest, resp: Any) -> Any:
        return negotiate(req, resp, await handler(req, resp))

    return run_async if route.is_async else run


def read(req: SlimeRequest) -> Any:
    """The body as MessagePack or JSON, by its Content-Type. `HttpError` 415 for another, 400 for what is neither."""
    kind = split_parameters(req.header.get("content-type", ""))[0].lower()
    if kind not in (MEDIA_TYPE, "application/x-msgpack"):
        if kind == "application/json":
            return req.json
        raise HttpError(415, headers={"Accept": f"{MEDIA_TYPE}, application/json"})
    try:
        return msgpack.unpackb(req.body)
    except ValueError as error:
        raise HttpError(400, "the body is not MessagePack") from error


class MessagePack:
    @hookimpl
    def slime_request_members(self) -> Mapping[str, Callable[..., Any]]:
        return {"msgpack": read}

    @hookimpl
    def slime_wrap_handler(self) -> HandlerWrapper:
        return HandlerWrapper("msgpack", wrap)
