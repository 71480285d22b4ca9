"""A counter in the session, by handlers of all kinds."""

from slimeweb import Slime

app = Slime(__file__)


def count(req):
    req.session.setdefault("visits", []).append(req.path)
    return str(len(req.session["visits"]))


@app.route(path="/plain")
def plain(req, resp):
    return count(req)


@app.route(path="/coroutine")
async def coroutine(req, resp):
    return count(req)


@app.route(path="/pieces")
def pieces(req, resp):
    return resp.stream([count(req)])


@app.route(path="/written")
def written(req, resp):
    writer = resp.writer()
    text = count(req)
    writer.start()
    writer.write(text)


@app.route(path="/look")
def look(req, resp):
    return str(len(req.session.get("visits", [])))


@app.route(path="/failing")
def failing(req, resp):
    count(req)
    raise LookupError("after the change")


@app.route(path="/logout", method="POST")
def logout(req, resp):
    req.session.clear()
    return "bye"


if __name__ == "__main__":
    app.serve(secret_key="a secret of the tests")
