"""WebSocket (RFC 6455) for slimeweb.

    @app.websocket(path="/echo")
    async def echo(req, resp):
        await resp.accept()
        async for message in resp:
            await resp.send(message)

`resp` is a `WebSocketResponse`; `app.room(name)` is a `Room`.
"""

from slimeweb_ws.errors import ConnectionClosed, ProtocolError, SendQueueFull
from slimeweb_ws.options import WebSocketOptions
from slimeweb_ws.response import WebSocketResponse
from slimeweb_ws.rooms import Room

__all__ = ["ConnectionClosed", "ProtocolError", "Room", "SendQueueFull", "WebSocketOptions", "WebSocketResponse"]
