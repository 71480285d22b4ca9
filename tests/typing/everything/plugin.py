"""A plugin written against the contract, with its hooks typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slimeweb import RouteKind, RouteOption, RouteSpec, Slime, SlimeRequest, hookimpl


class Greetings:
    @hookimpl
    def slime_app_members(self, app: Slime) -> Mapping[str, Any]:
        return {"greet": lambda: f"hello from {app.name}"}

    @hookimpl
    def slime_request_members(self, app: Slime) -> Mapping[str, Callable[..., Any]]:
        def locale(req: SlimeRequest) -> str:
            return req.header.get("accept-language", "en")[:2]

        return {"locale": locale}

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        return [RouteOption("greeting", default="hello")]

    @hookimpl
    def slime_route_kind(self, app: Slime, route: RouteSpec) -> RouteKind | None:
        return None


Slime(__file__, plugins=[Greetings()])
Slime(__file__, plugins=Greetings())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
