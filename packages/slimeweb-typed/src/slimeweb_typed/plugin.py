"""The hook implementations of slimeweb-typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slimeweb import HandlerWrapper, RouteSpec, Slime, SlimeRequest, hookimpl
from slimeweb_typed.calls import Call
from slimeweb_typed.errors import ParameterError
from slimeweb_typed.openapi import operation, security_schemes
from slimeweb_typed.typed_handlers import Signature, TypedHandlers

__all__ = ["TypedPlugin"]


class TypedPlugin:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._handlers: TypedHandlers | None = None

    @hookimpl
    def slime_wrap_handler(self, app: Slime, route: RouteSpec) -> HandlerWrapper | None:
        """Claims every handler that is not one of `(req, resp)`."""
        if route.takes_request_and_response:
            return None
        handlers = self._of(app)
        handlers.remember(route)
        resources = handlers.resources(route)
        made: list[Call] = []

        def wrap(route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
            made[:] = [handlers.call(route, handler, resources)]
            return made[0].run

        def check(req: SlimeRequest, resp: Any) -> None:
            if made[0].check is not None:
                made[0].check(req, resp)

        return HandlerWrapper(
            "typed",
            wrap,
            claims_signature=True,
            gives_way=True,
            check_route=handlers.signature,
            resources=tuple(resources.values()),
            check=check if any(each.scope == "request" for each in resources.values()) else None,
        )

    @hookimpl(optionalhook=True)
    def slime_docs_operation(self, app: Slime, route: RouteSpec) -> Mapping[str, Any] | None:
        """A document has the parameters, the body, the answers and the security of typed handlers."""
        if route.takes_request_and_response:
            return None
        signature = self._known(app, route)
        return None if signature is None else operation(signature.parameters, signature.returns)

    @hookimpl(optionalhook=True)
    def slime_docs_document(self, app: Slime) -> Mapping[str, Any]:
        """A document has the security schemes that typed handlers use."""
        typed = [self._known(app, route) for route in app.routes if not route.takes_request_and_response]
        schemes = security_schemes([each for known in typed if known is not None for each in known.parameters])
        return {"components": {"securitySchemes": schemes}} if schemes else {}

    def _of(self, app: Slime) -> TypedHandlers:
        if self._handlers is None:
            self._handlers = TypedHandlers(app)
        return self._handlers

    def _known(self, app: Slime, route: RouteSpec) -> Signature | None:
        """`None` for a handler that cannot be called as it is typed: another plugin calls it."""
        try:
            return self._of(app).signature(route)
        except ParameterError:
            return None
