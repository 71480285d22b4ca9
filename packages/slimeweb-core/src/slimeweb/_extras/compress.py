"""The extra `compress`, where it is not installed."""

from typing import TypedDict


class RouteOptions(TypedDict):
    """Nothing."""
