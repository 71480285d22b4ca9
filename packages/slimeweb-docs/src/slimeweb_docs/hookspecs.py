"""The hooks of slimeweb-docs: what other plugins say about an application's OpenAPI document.

A plugin implements them with `@hookimpl(optionalhook=True)`, so that it also works where slimeweb-docs is not there,
and imports nothing of it. They run when a document is made: when the application starts with `/openapi.json`, and
whenever `app.docs.document()` or `slime openapi` is called. What they return is merged, by the rules in
docs/reference/openapi.md; two plugins that say different things about one place are a `PluginError` naming both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slimeweb import RouteSpec, Slime, hookspec

__all__ = ["slime_docs_document", "slime_docs_hides", "slime_docs_operation"]


@hookspec
def slime_docs_operation(app: Slime, route: RouteSpec, method: str) -> Mapping[str, Any] | None:
    """Parts of the operation object (OpenAPI 3.1, section 4.8.10) of a route and one of its methods, in capitals.

    For example:

        @hookimpl(optionalhook=True)
        def slime_docs_operation(route):
            if route.options["jwt"]:
                return {"security": [{"jwt": []}], "responses": {"401": {"description": "No valid token"}}}
    """


@hookspec
def slime_docs_document(app: Slime) -> Mapping[str, Any] | None:
    """Parts of the document itself (section 4.8.1): components, tags, servers, webhooks, more of `info`.

    For example:

        @hookimpl(optionalhook=True)
        def slime_docs_document():
            scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            return {"components": {"securitySchemes": {"jwt": scheme}}}
    """


@hookspec
def slime_docs_hides(app: Slime, route: RouteSpec) -> bool | None:
    """Whether a route is left out of the document. One plugin that says so is enough.

    For example:

        @hookimpl(optionalhook=True)
        def slime_docs_hides(route):
            return route.path == "/metrics"
    """
