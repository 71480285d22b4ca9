"""The extra `stream`, where it is not installed."""

from typing import TypedDict


class AppMembers:
    """Nothing."""


class RouteOptions(TypedDict):
    """Nothing."""
