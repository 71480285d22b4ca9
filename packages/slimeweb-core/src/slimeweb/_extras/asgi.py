"""The extra `asgi`, where it is not installed."""


class AppMembers:
    """Nothing."""
