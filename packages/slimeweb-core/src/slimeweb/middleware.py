"""Middleware: what runs before and after handlers."""

from slimeweb._middleware import EVERY_PATH, Registration, SlimeMiddleware

__all__ = ["EVERY_PATH", "Registration", "SlimeMiddleware"]
