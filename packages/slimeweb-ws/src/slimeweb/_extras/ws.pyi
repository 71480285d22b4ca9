"""The extra `ws`, where it is installed."""

from slimeweb_ws.members import AppMembers as AppMembers
from slimeweb_ws.members import DeclaringMembers as DeclaringMembers
from slimeweb_ws.members import RouteOptions as RouteOptions
