"""WebSocket as a loop in the handler."""

from slimeweb_wsproto.socket import WebSocket

__all__ = ["WebSocket"]
