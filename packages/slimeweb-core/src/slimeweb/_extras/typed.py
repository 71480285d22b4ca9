"""The extra `typed`, where it is not installed."""

from typing import Never, TypeAlias

RouteHandler: TypeAlias = Never
"""Nothing."""
