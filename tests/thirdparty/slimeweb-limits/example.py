"""Routes with limits, under a clock that stands still until the test moves it."""

from slimeweb import Slime
from slimeweb_limits import Limits

now = [0.0]
app = Slime(__file__, plugins=[Limits(default="2/min", clock=lambda: now[0])])


@app.route(path="/plain", limit="3/s")
def plain(req, resp):
    return "ok"


@app.route(path="/coroutine", limit="3/s")
async def coroutine(req, resp):
    return "ok"


@app.route(path="/default")
def default(req, resp):
    return "ok"


@app.route(path="/later/{seconds:float}", limit=None)
def later(req, resp):
    now[0] += req.params["seconds"]
    return "ok"


@app.route(path="/wrong", limit=None)
def wrong(req, resp):
    try:
        app.route(path="/never", limit="fast")(plain)
    except ValueError as error:
        return str(error)


if __name__ == "__main__":
    app.serve(trusted_proxies=["127.0.0.1"])
