from slimeweb import Slime, SlimeMiddleware
from slimeweb.plugin import Cors, ReqLog

app = Slime(__file__)


class SimpleMiddle(SlimeMiddleware):
    def middle_after(self, req, resp):
        resp.set_header("PluginAfter", "CustomPlugin")

    def middle_before(self, req, resp):
        resp.set_header("PluginBefore", "CustomPlugin")


@app.route(path="/")
def land(req, resp):
    return resp.plain("land")


@app.route(path="/home", method=["GET", "POST"])
def home(req, resp):
    return resp.plain("home")


@app.route(path="/json", plugin=Cors())
def one(req, resp):
    return resp.json({"plugin": "one"})


@app.route(path="/json/all", plugin=[Cors(), SimpleMiddle(), ReqLog()])
def several(req, resp):
    return resp.json({"plugin": "several"})


if __name__ == "__main__":
    app.use(SimpleMiddle(), method=["POST", "GET"], path="/home")
    app.serve()
