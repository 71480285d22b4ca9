"""Jinja templates for slimeweb."""

from slimeweb_templates.templates import Templates

__all__ = ["Templates"]
