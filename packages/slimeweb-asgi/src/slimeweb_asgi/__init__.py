"""ASGI and WSGI applications within a slimeweb application, or served by slimeweb as they are."""

__all__: list[str] = []
