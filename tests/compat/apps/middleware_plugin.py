from slimeweb import Slime, SlimeMiddleware

app = Slime(__file__)


@app.route(path="/")
def land(req, resp):
    return resp.plain("land")


@app.route(path="/home", method=["GET", "POST"])
async def home(req, resp):
    return resp.plain("home")


class SimpleMiddle(SlimeMiddleware):
    def middle_after(self, req, resp):
        resp.set_header("PluginAfter", "CustomPlugin")

    def middle_before(self, req, resp):
        resp.set_header("PluginBefore", "CustomPlugin")


if __name__ == "__main__":
    app.use(SimpleMiddle())
    app.serve()
