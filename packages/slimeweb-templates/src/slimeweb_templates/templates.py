"""`app.templates`: an application's Jinja environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar, cast

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
)

from slimeweb import HttpError
from slimeweb.handlers import check_parentheses
from slimeweb_templates.errors import MissingTemplate, TemplateMistake

__all__ = ["Html", "Templates"]

F = TypeVar("F", bound=Callable[..., Any])

HTML = (".html", ".htm", ".xhtml")
"""Endings whose templates give `Html`, with and without one of `SUFFIXES` behind them."""

ESCAPED = (*HTML, ".xml", ".svg")
"""Endings whose templates are escaped, likewise."""

SUFFIXES = (".j2", ".jinja", ".jinja2")


class Html(str):
    """What a template for HTML gives: text that slimeweb answers with as HTML, and that templates do not escape again.

    What is made of it, by `+` or `replace`, is plain text.
    """

    __slots__ = ()

    def __html__(self) -> str:
        """Its text."""
        return str(self)


class Templates:
    """An application's templates: the files of `templates/` beside it, and what other loaders bring.

        app.templates.globals["site"] = "Slime"
        app.templates.add_loader(jinja2.DictLoader({"hello.txt": "Hello {{ name }}"}))

        @app.templates.filter()
        def shout(text):
            return text.upper()

    Everything here may be used from any thread. Globals, filters, tests and loaders are to be set before the
    application serves: templates that have been compiled by then keep those they were compiled with.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._loaders: tuple[BaseLoader, ...] = (FileSystemLoader(directory),)
        # Rendering is synchronous: a template waits for nothing, and a coroutine that awaits first renders what it has
        # then.
        self._environment = Environment(
            loader=ChoiceLoader(list(self._loaders)), autoescape=is_escaped, auto_reload=False
        )

    @property
    def environment(self) -> Environment:
        """The Jinja environment, for what this class does not have."""
        return self._environment

    @property
    def globals(self) -> MutableMapping[str, Any]:
        """Names that every template knows."""
        return self._environment.globals

    @property
    def filters(self) -> MutableMapping[str, Callable[..., Any]]:
        """Filters by name: `{{ text|name }}`."""
        return self._environment.filters

    @property
    def tests(self) -> MutableMapping[str, Callable[..., Any]]:
        """Tests by name: `{% if value is name %}`."""
        return cast(MutableMapping[str, Callable[..., Any]], self._environment.tests)

    def filter(self, name: str | None = None) -> Callable[[F], F]:
        """Makes a function a filter, of its own name where none is given."""
        check_parentheses("app.templates.filter", name, "app.templates.filter()")

        def declare(function: F) -> F:
            self._environment.filters[name or function.__name__] = function
            return function

        return declare

    def add_loader(self, loader: BaseLoader) -> None:
        """Looks for templates there too, after the directory and the loaders added before."""
        self._loaders = (*self._loaders, loader)
        self._environment.loader = ChoiceLoader(list(self._loaders))

    def reload(self, on: bool) -> None:
        """Whether a template whose file has changed is compiled again, as in dev mode."""
        self._environment.auto_reload = on

    def get(self, name: str) -> Template:
        """A template, compiled. `MissingTemplate` or `TemplateMistake` where there is none to be had."""
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is no template's name: use its path in {self.directory}, such as 'home.html'")
        try:
            return self._environment.get_template(name)
        except TemplateNotFound as error:
            raise MissingTemplate(name, str(error.name or name), self.directory) from error
        except TemplateSyntaxError as error:
            raise TemplateMistake.of_syntax(error) from error
        except UnicodeDecodeError as error:
            raise TemplateMistake(name, None, f"its file is not UTF-8: {error}") from error

    def render(self, name: str, context: Mapping[str, Any] | None = None, /, **names: Any) -> str:
        """A template's text with these names filled in; keywords count over `context`.

        Where the template's name ends in `.html`, `.htm` or `.xhtml`, it is a `str` with `__html__()`: a handler may
        return it as its answer, and other templates do not escape it again.

        `MissingTemplate` when it, or one that it includes, is not there; `TemplateMistake` with name and line when it
        fails. An `HttpError`, such as `req.json` raises, stays what it is. `TypeError` for a context that is no dict of
        names.
        """
        template = self.get(name)
        if context is not None and not isinstance(context, Mapping):
            raise TypeError(_no_context(name, context))
        values = {**(context or {}), **names}
        try:
            text = template.render(values)
        except TemplateNotFound as error:
            raise MissingTemplate(name, str(error.name or name), self.directory) from error
        except TemplateSyntaxError as error:
            raise TemplateMistake.of_syntax(error) from error
        except (HttpError, MissingTemplate, TemplateMistake):
            # The last two are of a template that this one has rendered by a function.
            raise
        except Exception as error:
            if not all(isinstance(key, str) for key in values):
                raise TypeError(_no_context(name, context)) from error
            raise TemplateMistake.of_failure(name, error, self.directory) from error
        return Html(text) if _bare(name).endswith(HTML) else text


def is_escaped(name: str | None) -> bool:
    """Whether values are escaped in a template of that name. A template without a name comes from code: it is."""
    if name is None:
        return True
    return _bare(name).endswith(ESCAPED)


def _no_context(name: str, given: object) -> str:
    return f"render({name!r}, {given!r}): use a dict with names as its keys, or keywords"


def _bare(name: str) -> str:
    lower = name.lower()
    for suffix in SUFFIXES:
        lower = lower.removesuffix(suffix)
    return lower
