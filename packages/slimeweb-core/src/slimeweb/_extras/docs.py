"""The extra `docs`, where it is not installed."""

from typing import TypedDict


class AppMembers:
    """Nothing."""


class ServeOptions(TypedDict):
    """Nothing."""
