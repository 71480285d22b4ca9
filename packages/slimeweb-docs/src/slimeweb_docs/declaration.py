"""`app.docs`: the decorator that documents a route, and the document of all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from slimeweb import RouteSpec, Slime
from slimeweb.errors import ConfigError, InvalidHandler
from slimeweb.handlers import check_parentheses
from slimeweb.router import Declarations
from slimeweb_docs.documentation import About, Documentation, Entry
from slimeweb_docs.handler import without_partial
from slimeweb_docs.response_type import SlimeResponseType
from slimeweb_docs.schema import SlimeSchema

__all__ = ["Docs"]

H = TypeVar("H", bound=Callable[..., Any])


class Docs:
    """`app.docs`: the decorator `@app.docs(…)`, and the document that comes of it."""

    def __init__(self, app: Slime) -> None:
        self._app = app
        self._about = About(app.name)
        self._on: Declarations = app
        self._documented: list[tuple[Callable[..., Any], Documentation, Declarations]] = []

    def __call__(
        self,
        title: str = "",
        description: str = "",
        response_type: SlimeResponseType | None = None,
        schema: SlimeSchema | None = None,
        *,
        tags: Iterable[str] = (),
        deprecated: bool = False,
        hidden: bool = False,
    ) -> Callable[[H], H]:
        """Documents a route; goes above `@app.route`.

        `title` is its short name, the first line of the handler's docstring by default; `description`, which may hold
        CommonMark, the rest of it. `response_type` is what it answers with, JSON unless the route itself tells more;
        `schema` what it takes. `tags` are groups to list it under: by default the name of its router, else its module,
        where that is not the application's own. `hidden` leaves it out of the document. What is said about a handler
        holds for all its routes.

        `InvalidHandler` for a function that is no route's handler, `ConfigError` for a second `@app.docs` on one
        route, `TypeError` for an argument of the wrong kind.
        """
        check_parentheses("app.docs", title, 'app.docs(title="…")')
        if response_type is not None and not isinstance(response_type, SlimeResponseType):
            raise TypeError(f"docs(response_type={response_type!r}): use SlimeResponseType.JsonResponse or the like")
        if schema is not None and not isinstance(schema, SlimeSchema):
            raise TypeError(f"docs(schema={schema!r}): use SlimeSchema(query=[…], body=BodySchema(…))")
        if isinstance(tags, str):
            raise TypeError(f"docs(tags={tags!r}): use a list, [{tags!r}]")
        said = Documentation(
            title, description, response_type, schema or SlimeSchema(), tuple(tags), deprecated, hidden
        )

        def document(handler: H) -> H:
            self._add(handler, said)
            return handler

        return document

    def of_include(self, include: Declarations) -> Docs:
        """The same documentation, for what one include of a router says: another include says it again."""
        other = copy(self)
        other._on = include
        return other

    def about(self, *, title: str | None = None, version: str | None = None, description: str | None = None) -> None:
        """Names the application in its document: by the name of its file, version 0.1.0, where nothing is said."""
        known = self._about
        self._about = About(
            known.title if title is None else title,
            known.version if version is None else version,
            known.description if description is None else description,
        )

    @property
    def title(self) -> str:
        """What the application is called."""
        return self._about.title

    def document(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document of all routes declared so far, and while the application is served, of those that
        plugins have.

        `SchemaError` for a type that has no JSON schema, `PluginError` for a plugin whose part in the document will not
        do, or does not agree with another's.
        """
        # Here and not above: an application that shows no documents does without apispec.
        from slimeweb_docs.contributions import Contributions
        from slimeweb_docs.document import build

        entries = [self._entry(route) for route in self._app.routes]
        shown = [each for each in entries if each.said is None or not each.said.hidden]
        return build(self._about, shown, Contributions(self._app))

    def _entry(self, route: RouteSpec) -> Entry:
        said = self._said(route.handler)
        declared, route = route, replace(route, handler=without_partial(route.handler))
        if said is not None and said.tags:
            return Entry(declared, route, said, said.tags)
        router = next((each.name for each in reversed(route.includes) if each.name), None)
        if router is not None:
            return Entry(declared, route, said, (router,))
        # Handlers in a module of their own belong together; those beside the application are not a group.
        module = sys.modules.get(getattr(route.handler, "__module__", None) or "")
        file = getattr(module, "__file__", None)
        if module is None or file is None or Path(file).resolve() == self._app.file:
            return Entry(declared, route, said)
        return Entry(declared, route, said, (module.__name__.rpartition(".")[2],))

    def _add(self, handler: Callable[..., Any], said: Documentation) -> None:
        paths = [route.path for route in self._app.routes if route.handler == handler]
        if not paths:
            raise InvalidHandler(f"docs() documents {handler!r}, which is no route's handler: put it above @app.route")
        if (handler, said) in ((known, before) for known, before, place in self._documented if place is not self._on):
            return
        if self._said(handler) is not None:
            raise ConfigError(f"the route {paths[0]} has two docs(): give it one, with all there is to say")
        self._documented.append((handler, said, self._on))

    def _said(self, handler: Callable[..., Any]) -> Documentation | None:
        return next((said for known, said, _ in self._documented if known == handler), None)
