"""Values of all kinds, and what comes back."""

from datetime import date

from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/plain")
def plain(req, resp):
    resp.set_status(201)
    return {"name": "Ada", "numbers": [1, 2.5]}


@app.route(path="/coroutine")
async def coroutine(req, resp):
    return {"born": date(1815, 12, 10)}


@app.route(path="/text")
def text(req, resp):
    return "hello"


@app.route(path="/echo", method="POST")
def echo(req, resp):
    return {"received": req.msgpack()}


if __name__ == "__main__":
    app.serve()
