"""The hook implementations of slimeweb-typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slimeweb import HandlerWrapper, RouteSpec, Slime, hookimpl
from slimeweb_typed.errors import ParameterError
from slimeweb_typed.openapi import operation, security_schemes
from slimeweb_typed.typed_handlers import Signature, TypedHandlers

__all__ = ["TypedPlugin"]


class TypedPlugin:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._handlers = TypedHandlers()

    @hookimpl
    def slime_wrap_handler(self, app: Slime, route: RouteSpec) -> HandlerWrapper | None:
        """Claims every handler that is not one of `(req, resp)`."""
        if route.takes_request_and_response:
            return None
        self._handlers.remember(route)
        handlers = self._handlers
        return HandlerWrapper(
            "typed", handlers.call, claims_signature=True, gives_way=True, check_route=handlers.signature
        )

    @hookimpl(optionalhook=True)
    def slime_docs_operation(self, route: RouteSpec) -> Mapping[str, Any] | None:
        """A document has the parameters, the body, the answers and the security of typed handlers."""
        if route.takes_request_and_response:
            return None
        signature = self._known(route)
        return None if signature is None else operation(signature.parameters, signature.returns)

    @hookimpl(optionalhook=True)
    def slime_docs_document(self, app: Slime) -> Mapping[str, Any]:
        """A document has the security schemes that typed handlers use."""
        typed = [self._known(route) for route in app.routes if not route.takes_request_and_response]
        schemes = security_schemes([each for known in typed if known is not None for each in known.parameters])
        return {"components": {"securitySchemes": schemes}} if schemes else {}

    def _known(self, route: RouteSpec) -> Signature | None:
        """`None` for a handler that cannot be called as it is typed: another plugin calls it."""
        try:
            return self._handlers.signature(route)
        except ParameterError:
            return None
