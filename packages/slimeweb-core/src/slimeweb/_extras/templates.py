"""The extra `templates`, where it is not installed."""


class AppMembers:
    """Nothing."""


class RequestMembers:
    """Nothing."""
