"""Rate limits: so many requests of one client to one route in a while, and 429 for more (RFC 6585, section 4)."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Sequence

from slimeweb import HttpError, RouteOption, RouteSpec, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl

__all__ = ["Limits", "parse"]

SECONDS = {"s": 1, "min": 60, "h": 3600}


def parse(text: str | None) -> tuple[int, float] | None:
    """`"10/s"` is ten in a second; `None` is no limit."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]*)/(s|min|h)", text)
    if not match:
        raise ValueError(f"limit={text!r}: use a number with /s, /min or /h, such as '10/s'")
    return int(match[1]), SECONDS[match[2]]


class Limit(SlimeMiddleware):
    """For each client, when its allowance is full again: it fills steadily, and each request takes one part of it."""

    def __init__(self, count: int, seconds: float, clock: Callable[[], float], clients: int) -> None:
        self.cost, self.seconds, self.clock, self.clients = seconds / count, seconds, clock, clients
        self.lock = threading.Lock()
        self.full_at: dict[str, float] = {}

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        with self.lock:
            now = self.clock()
            full_at = max(self.full_at.pop(req.client, now), now) + self.cost
            wait = full_at - now - self.seconds
            # The client that came last is the last in the dictionary.
            self.full_at[req.client] = full_at - self.cost if wait > 1e-9 else full_at
            if len(self.full_at) > self.clients:
                del self.full_at[next(iter(self.full_at))]
        if wait > 1e-9:
            raise HttpError(429, headers={"Retry-After": str(math.ceil(wait))})


class Limits:
    """`default` is for routes without a `limit` of their own; at most `clients` are remembered for each route."""

    def __init__(
        self, default: str | None = None, clock: Callable[[], float] = time.monotonic, clients: int = 10_000
    ) -> None:
        self.default, self.clock, self.clients = parse(default), clock, clients

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        return [RouteOption("limit", default="default", validate=parse)]

    @hookimpl
    def slime_middleware(self, route: RouteSpec) -> Sequence[SlimeMiddleware]:
        limit = route.options["limit"]
        if limit == "default":
            limit = self.default
        return [Limit(*limit, self.clock, self.clients)] if limit else []
