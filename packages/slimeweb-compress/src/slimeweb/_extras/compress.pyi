"""The extra `compress`, where it is installed."""

from slimeweb_compress.members import RouteOptions as RouteOptions
