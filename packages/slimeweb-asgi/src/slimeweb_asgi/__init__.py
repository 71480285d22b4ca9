"""ASGI and WSGI applications within a slimeweb application, or served by slimeweb as they are."""

from slimeweb_asgi.mounts import Mounts

__all__ = ["Mounts"]
