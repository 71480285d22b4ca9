from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/", method="GET")
def home(req, resp):
    return resp.plain("Hello World from slime")


if __name__ == "__main__":
    app.serve(dev=True)
