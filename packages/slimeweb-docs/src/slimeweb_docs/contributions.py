"""What other plugins say about the document of an application, by the hooks of slimeweb-docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slimeweb import RouteSpec, Slime
from slimeweb.commands import Plugin
from slimeweb_docs.components import Components
from slimeweb_docs.merging import DOCUMENT, OPERATION, Merger

__all__ = ["Contributions"]


class Contributions:
    """The plugins' part in one document."""

    def __init__(self, app: Slime) -> None:
        self._app = app
        self._of_document = app.plugins.each("slime_docs_document", Mapping, app=app)  # type: ignore[type-abstract]
        self._schemes: list[tuple[Plugin, str, str]] = []

    def hides(self, route: RouteSpec) -> bool:
        """Whether a plugin leaves a route out."""
        answers = self._app.plugins.each("slime_docs_hides", bool, app=self._app, route=route)
        return any(hidden for _, hidden in answers)

    def schema_names(self) -> set[str]:
        """The names that plugins give to schemas of theirs."""
        found: set[str] = set()
        for _, part in self._of_document:
            components = part.get("components")
            schemas = components.get("schemas") if isinstance(components, Mapping) else None
            found.update(schemas if isinstance(schemas, Mapping) else ())
        return found

    def operation(self, route: RouteSpec, method: str, components: Components) -> dict[str, Any]:
        """What plugins say about one operation. `None` in it stands for what is not there, in spite of appearances."""
        what = f"the operation {method} {route.path}"
        merger = Merger(what, {}, OPERATION)
        for plugin, part in self._app.plugins.each(
            "slime_docs_operation",
            Mapping,  # type: ignore[type-abstract]
            app=self._app,
            route=route,
            method=method,
        ):
            merger.add(plugin, part, components)
            self._schemes += [(plugin, what, name) for each in part.get("security", ()) for name in each]
        return merger.found

    def add_to(self, document: dict[str, Any]) -> None:
        """Adds what plugins say about the document, and checks that all schemes of security are there."""
        merger = Merger("the document", document, DOCUMENT)
        for plugin, part in self._of_document:
            merger.add(plugin, part)
        known = document.get("components", {}).get("securitySchemes", {})
        for plugin, what, name in self._schemes:
            if name not in known:
                raise plugin.error(
                    f": {what} has security {name!r}, which is none of components.securitySchemes: return it from "
                    "slime_docs_document"
                )
