"""The extra `stream`, where it is not installed."""

from typing import TypedDict


class DeclaringMembers:
    """Nothing."""


class RouteOptions(TypedDict):
    """Nothing."""
