"""A chat: rooms, and who is in them. Open http://127.0.0.1:3000/?room=tea in a few tabs.

pip install 'slimeweb[ws]'
python examples/chat/main.py
"""

from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/")
def page(req, resp):
    return resp.file(app.root / "chat.html")


@app.websocket(path="/rooms/{name}", body_size=16 * 1024)
async def enter(req, resp):
    room = app.room(req.params["name"])
    # Whatever a browser sends is text to show, never trusted to be short.
    nick = req.query.get("nick", "").strip()[:20] or f"guest {resp.id[:4]}"

    def tell(kind, **fields):
        room.broadcast({"kind": kind, "nick": nick, "here": len(room), **fields})

    await resp.accept()
    room.join(resp)
    tell("arrived")
    async for message in resp:
        if isinstance(message, str) and message.strip():
            tell("said", text=message)
    # The connection has left the room by itself.
    tell("left")


if __name__ == "__main__":
    app.serve()
