"""The extra `stream`, where it is installed."""

from slimeweb_stream.members import AppMembers as AppMembers
from slimeweb_stream.members import RouteOptions as RouteOptions
