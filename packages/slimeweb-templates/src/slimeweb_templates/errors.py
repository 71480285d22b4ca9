"""Errors of templates, with the template's name and line."""

from __future__ import annotations

import traceback
from pathlib import Path

from jinja2 import TemplateSyntaxError

from slimeweb import SlimeError

__all__ = ["MissingTemplate", "TemplateMistake"]


class MissingTemplate(SlimeError):
    """No loader has the template, whose name is `template`."""

    def __init__(self, asked: str, missing: str, directory: Path) -> None:
        where = f"put it into {directory}, or add a loader that has it with app.templates.add_loader(…)"
        needed = f", which {asked!r} needs," if missing != asked else ""
        super().__init__(f"the template {missing!r}{needed} was not found: {where}")
        self.template = missing


class TemplateMistake(SlimeError):
    """A template that cannot be compiled, or that fails while it is rendered. `template` and `line` say where."""

    def __init__(self, template: str, line: int | None, reason: str) -> None:
        place = f"{template!r}, line {line}" if line is not None else repr(template)
        super().__init__(f"the template {place}: {reason}")
        self.template = template
        self.line = line

    @classmethod
    def of_syntax(cls, error: TemplateSyntaxError) -> TemplateMistake:
        """For a template that cannot be compiled."""
        return cls(error.name or "<template>", error.lineno, error.message or "it is not a valid template")

    @classmethod
    def of_failure(cls, asked: str, error: Exception, directory: Path) -> TemplateMistake:
        """For what was raised while rendering: the innermost template in the traceback is the one to look at."""
        reason = f"{type(error).__name__}: {error}"
        for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
            # Jinja puts frames with the templates' own files and lines into the traceback, and marks them so.
            if "__jinja_exception__" in frame.f_globals:
                return cls(_name(frame.f_code.co_filename, asked, directory), line, reason)
        return cls(asked, None, reason)


def _name(filename: str, asked: str, directory: Path) -> str:
    """A template's name from its file's. One that no file holds goes by the name that was asked for."""
    file = Path(filename)
    if filename == "<template>":
        return asked
    return str(file.relative_to(directory)) if file.is_relative_to(directory) else filename
