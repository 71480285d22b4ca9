"""Jinja templates for slimeweb."""

from slimeweb_templates.errors import MissingTemplate, TemplateMistake
from slimeweb_templates.templates import Templates

__all__ = ["MissingTemplate", "TemplateMistake", "Templates"]
