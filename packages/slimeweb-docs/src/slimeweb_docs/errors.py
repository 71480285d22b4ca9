"""What can go wrong while an application is being described."""

from slimeweb import SlimeError

__all__ = ["SchemaError"]


class SchemaError(SlimeError):
    """A type that no JSON schema can be made for. The message names the type, and the field that has it."""
