"""The extra `typed`, where it is installed."""

from slimeweb_typed.members import RouteHandler as RouteHandler
