"""Jinja templates for slimeweb."""
