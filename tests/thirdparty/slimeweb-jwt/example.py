"""Routes that ask for a token; those of other plugins are there where they are installed."""

from slimeweb import Slime
from slimeweb_jwt import Bearer

app = Slime(__file__, plugins=[Bearer("a key of the tests, long enough for HS256", ["HS256"])])


@app.route(path="/open")
def home(req, resp):
    return "open"


@app.route(path="/plain", auth=True)
def plain(req, resp):
    return req.token["sub"]


@app.route(path="/coroutine", auth=True)
async def coroutine(req, resp):
    return req.token["sub"]


@app.route(path="/admin", auth="admin")
def admin(req, resp):
    return req.token["sub"]


@app.route(path="/wrong")
def wrong(req, resp):
    try:
        app.route(path="/never", auth=7)(plain)
    except ValueError as error:
        return str(error)


if hasattr(app, "stream"):

    @app.stream(path="/stream", content="text/plain", auth=True)
    def stream(req, resp):
        resp.start_stream()
        resp.send(req.token["sub"])

    @app.websocket(path="/socket", auth=True)
    def socket(req, resp):
        resp.on_message(lambda message: resp.send(f"{req.token['sub']}: {message}"))


if __name__ == "__main__":
    app.serve(**({"docs": True} if hasattr(app, "docs") else {}))
