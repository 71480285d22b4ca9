"""The extra `docs`, where it is installed."""

from slimeweb_docs.members import DeclaringMembers as DeclaringMembers
from slimeweb_docs.members import ServeOptions as ServeOptions
