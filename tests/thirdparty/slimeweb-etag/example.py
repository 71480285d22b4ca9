"""Answers that have a tag, and such as have none."""

from slimeweb import Compress, Slime

app = Slime(__file__)
(app.root / "notes.txt").write_text("some notes")


@app.route(path="/plain", method=["GET", "HEAD", "POST"])
def plain(req, resp):
    resp.set_header("Cache-Control", "max-age=60")
    return resp.plain("hello")


@app.route(path="/coroutine")
async def coroutine(req, resp):
    return resp.plain("hello")


@app.route(path="/own")
def own(req, resp):
    resp.set_header("ETag", '"version 7"')
    return resp.plain("hello")


@app.route(path="/failing")
def failing(req, resp):
    return resp.plain("no", status=404)


@app.route(path="/large")
def large(req, resp):
    return resp.plain("hello " * 1000)


@app.stream(path="/stream", content="text/plain")
def stream(req, resp):
    resp.start_stream()
    resp.send("hello")


@app.route(path="/file")
def file(req, resp):
    return resp.file(app.root / "notes.txt")


app.use(Compress(), path="/large")

if __name__ == "__main__":
    app.serve()
