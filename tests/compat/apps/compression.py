from slimeweb import Slime, SlimeCompression

app = Slime(__file__)


@app.route(path="/", method="GET", compression=SlimeCompression.Gzip)
def land(req, resp):
    resp.plain("hello" * 5000)


@app.route(path="/nine", method="GET", compression=SlimeCompression.Gzip, comp_level=9)
def nine(req, resp):
    resp.plain("hello" * 5000)


@app.route(path="/all", method="GET", compression=SlimeCompression.All)
def best(req, resp):
    resp.plain("hello" * 5000)


@app.route(path="/none", method="GET", compression=SlimeCompression.NoCompression)
def none(req, resp):
    resp.plain("hello" * 5000)


if __name__ == "__main__":
    app.serve()
