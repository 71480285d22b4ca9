from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/", method="GET")
def land(req, resp):
    return resp.plain("land")


@app.middle_before(path="/", method="GET")
def land_before(req, resp):
    resp.set_header("AFTER", "REQUEST")


@app.middle_after(path="/", method="GET")
def land_after(req, resp):
    resp.set_header("BEFORE", "Request")


@app.route(path="/async", method="GET")
async def aland(req, resp):
    return resp.plain("async land")


@app.middle_before(path="/async", method="GET")
async def aland_before(req, resp):
    resp.set_header("AFTER", "REQUEST")


if __name__ == "__main__":
    app.serve()
