"""The extra `stream`, where it is installed."""

from slimeweb_stream.members import DeclaringMembers as DeclaringMembers
from slimeweb_stream.members import RouteOptions as RouteOptions
