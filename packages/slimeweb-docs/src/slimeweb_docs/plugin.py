"""The hook implementations of slimeweb-docs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slimeweb import RouteSpec, ServeOption, Slime, hookimpl
from slimeweb.commands import Commands, PluginManager
from slimeweb.router import Declarations
from slimeweb_docs import hookspecs
from slimeweb_docs.command import add_openapi
from slimeweb_docs.declaration import Docs

if TYPE_CHECKING:
    from slimeweb_docs.page import Page

__all__ = ["DocsPlugin"]


class DocsPlugin:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._docs: Docs | None = None
        self._page: Page | None = None

    @hookimpl
    def slime_addhooks(self, plugins: PluginManager) -> None:
        """What other plugins say about the document."""
        plugins.add_hookspecs(hookspecs)

    @hookimpl
    def slime_declarations(self, app: Slime, on: Declarations) -> Mapping[str, Callable[..., Any]]:
        """`@app.docs(…)`, on routers too."""
        if self._docs is None or on is app:
            self._docs = Docs(app)
        return {"docs": self._docs if on is app else self._docs.of_include(on)}

    @hookimpl
    def slime_serve_options(self) -> Sequence[ServeOption]:
        """`serve(docs=True)` or `False`: whether there is a page, whatever the mode."""
        return [ServeOption("docs", default=None, validate=_flag)]

    @hookimpl
    def slime_routes(self, app: Slime) -> Sequence[RouteSpec]:
        """`/docs` and `/openapi.json`, in dev mode unless the option says otherwise."""
        self._page = None
        wanted = app.serve_options["docs"]
        if self._docs is None or not (app.dev if wanted is None else wanted):
            return []
        # Here and not above: without the page none of this is needed.
        from slimeweb_docs.page import Page

        self._page = Page(self._docs.title)
        _refuse_taken(self._page.routes, app.routes)
        return self._page.routes

    @hookimpl(tryfirst=True)
    def slime_startup(self) -> None:
        """The document, now that the routes of all plugins are there."""
        if self._docs is not None and self._page is not None:
            from slimeweb_docs.document import to_text

            self._page.show(to_text(self._docs.document()))

    @hookimpl
    def slime_docs_hides(self, route: RouteSpec) -> bool:
        """The documentation does not list itself."""
        return self._page is not None and any(route.handler is own.handler for own in self._page.routes)

    @hookimpl
    def slime_cli(self, commands: Commands) -> None:
        """`slime openapi MODULE`."""
        add_openapi(commands)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = known.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("use True or False (as a variable: 1 or 0)")
    return found


def _refuse_taken(routes: Sequence[RouteSpec], declared: Sequence[RouteSpec]) -> None:
    for route in routes:
        for other in declared:
            if other.pattern.shape == route.pattern.shape and {"GET", "*"} & set(other.methods):
                raise ValueError(f"{other} is where the documentation goes: move it, or do without: serve(docs=False)")
