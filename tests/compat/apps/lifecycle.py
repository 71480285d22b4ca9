from slimeweb import Slime

app = Slime(__file__)


@app.start()
def start_app():
    print("app has been started")


@app.end()
def end_app(args):
    print("app has been ended with error => ", args)


@app.route(path="/")
def home(req, resp):
    return resp.plain("alive")


if __name__ == "__main__":
    app.serve()
