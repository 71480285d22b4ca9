"""The extra `asgi`, where it is installed."""

from slimeweb_asgi.members import AppMembers as AppMembers
