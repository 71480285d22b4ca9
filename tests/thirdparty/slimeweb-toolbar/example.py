"""Pages of all kinds."""

from slimeweb import Compress, Slime

app = Slime(__file__)
(app.root / "page.html").write_text("<body>a file</body>")


@app.route(path="/page")
def page(req, resp):
    resp.set_header("X-Colour", "<red>")
    return resp.html("<body><h1>Hello</h1></body>")


@app.route(path="/coroutine")
async def coroutine(req, resp):
    return resp.html("<body><h1>Hello</h1></body>")


@app.stream(path="/stream", content="text/html")
def stream(req, resp):
    resp.start_stream()
    resp.send("<body>")
    resp.send("<h1>Hello</h1></bo")
    resp.send("dy>")


@app.route(path="/plain")
def plain(req, resp):
    return resp.plain("<body></body>")


@app.route(path="/file")
def file(req, resp):
    return resp.file(app.root / "page.html")


@app.route(path="/large")
def large(req, resp):
    return resp.html("<body>" + "<p>Hello</p>" * 1000 + "</body>")


app.use(Compress(), path="/large")

if __name__ == "__main__":
    app.serve()
