"""The extra `docs`, where it is not installed."""

from typing import TypedDict


class DeclaringMembers:
    """Nothing."""


class ServeOptions(TypedDict):
    """Nothing."""
