from slimeweb import Slime

app = Slime(__file__)


@app.route()
def home(req, resp):
    return resp.plain("path is '/' and method is GET as default")


if __name__ == "__main__":
    app.serve(workers=3)
