"""The extra `docs`, where it is installed."""

from slimeweb_docs.members import AppMembers as AppMembers
from slimeweb_docs.members import ServeOptions as ServeOptions
