"""WebSocket (RFC 6455) for slimeweb.

    @app.websocket(path="/echo")
    def echo(req, resp):
        resp.on_message(resp.send)

`resp` is a `WebSocketResponse`; `app.room(name)` is a `Room`.
"""

from slimeweb_ws.errors import ProtocolError, SendQueueFull
from slimeweb_ws.options import WebSocketOptions
from slimeweb_ws.response import WebSocketResponse
from slimeweb_ws.rooms import Room

__all__ = ["ProtocolError", "Room", "SendQueueFull", "WebSocketOptions", "WebSocketResponse"]
