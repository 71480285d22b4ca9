"""The extra `ws`, where it is not installed."""

from typing import TypedDict


class AppMembers:
    """Nothing."""


class DeclaringMembers:
    """Nothing."""


class RouteOptions(TypedDict):
    """Nothing."""
