"""The errors of slimeweb-typed."""

from __future__ import annotations

from slimeweb.errors import InvalidHandler, PluginError, SlimeError

__all__ = ["InvalidReturn", "ParameterError"]


class ParameterError(PluginError, InvalidHandler):
    """A typed handler that cannot be called, or whose return type has no JSON. The message names the parameter, the
    handler and its file.
    """


class InvalidReturn(SlimeError):
    """A typed handler has returned what does not fit its return type: a 500. The message says where, for the log,
    and has nothing of the value.
    """
